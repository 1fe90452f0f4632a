"""Every model's candidate and published predictions as assets."""

import dagster as dg

from athena_assets.features.feature_contract import feature_contract
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.artifact import load_artifact
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.nights import Night
from athena_assets.orders.continuity import refuse_outdated
from athena_assets.pins import FEATURE_SET, model_subject, read_pins
from athena_assets.predictions.prediction_contract import (
    candidate_contract,
    probability_column,
    published_contract,
)
from athena_assets.predictions.publish import NIGHT_FILE, publish_night
from athena_assets.predictions.scores import features_of_night, score_night
from athena_assets.predictions.status import mark_home
from athena_assets.retailer import Retailer
from athena_assets.sources.landing import Landing
from checks.contract_files import load_contract
from checks.needs import as_written
from checks.verdicts import stamp
from resources.registry import ModelRegistry
from resources.settings import Settings
from resources.steps import step
from resources.tables import ensure_table, key_of, materialisation, table_spec
from resources.warehouse import Warehouse, replace_rows, translated_errors

GROUP = "predictions"
VERSION = "1"


def build_prediction_assets(
    spec: ModelSpec,
    feature_set: FeatureSet,
    retailer: Retailer,
    nights: dg.PartitionsDefinition,
    registered: dg.AssetKey,
) -> list[dg.AssetsDefinition]:
    """`predictions.<model>_candidate`, and `predictions.<model>` with its files behind the candidate's checks.

    registered: the asset that brings versions to production.
    """
    return [_candidate(spec, feature_set, retailer, nights, registered), _published(spec, retailer, nights)]


def _candidate(
    spec: ModelSpec,
    feature_set: FeatureSet,
    retailer: Retailer,
    nights: dg.PartitionsDefinition,
    registered: dg.AssetKey,
) -> dg.AssetsDefinition:
    contract = candidate_contract(spec)
    table = feature_contract(feature_set).address
    pins_key = key_of(load_contract("ops.night_pins"))
    asset_spec = table_spec(
        contract,
        group=GROUP,
        stage="inference",
        kinds=("duckdb", "xgboost"),
        deps=[
            dg.AssetKey(table.split(".")),
            pins_key,
            # The champion goes on predicting while a newer training, or one by newer rules, is refused.
            as_written(registered, dg.LastPartitionMapping()),
        ],
        model=spec.name,
        cost_center=spec.business_unit,
        code_version=VERSION,
        partitions_def=nights,
    )

    @dg.multi_asset(name=f"{spec.name}_candidate", specs=[asset_spec], pool="warehouse")
    @step
    def candidate(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        settings: dg.ResourceParam[Settings],
        registry: dg.ResourceParam[ModelRegistry],
        landing: dg.ResourceParam[Landing],
    ) -> dg.MaterializeResult:
        night = Night.parse(context.partition_key)
        deliveries = landing.deliveries(retailer.source.name)
        with warehouse.read() as connection:
            refuse_outdated(connection, deliveries=deliveries, before=night.plus(1))
            pins = read_pins(connection, night)
            # Without a pin there was no champion when the night was opened: this raises and says so.
            version = pins.get(model_subject(spec.name)) or registry.champion(spec.name).version
            artifact = load_artifact(registry.version(spec.name, version).verify().path, threads=settings.threads)
            rows = features_of_night(connection, artifact, feature_set, table, spec.value.spend_feature, night)
        scored = score_night(spec, artifact, rows, feature_set)
        with warehouse.write() as connection:
            ensure_table(connection, contract)
            stamp(connection, contract, night.key, context.run.run_id)
            connection.register("incoming", scored.table)
            count = replace_rows(
                connection,
                contract.address,
                "SELECT CAST($night AS DATE) AS night, *, $version AS model_version,"
                " $features AS feature_set_version FROM incoming",
                {"night": night.day, "version": version, "features": pins[FEATURE_SET]},
                where="night = CAST($night AS DATE)",
            )
        probability = scored.table.column(probability_column(spec)).to_numpy()
        drivers = tuple((table, name) for name in artifact.model.features)
        return materialisation(
            contract,
            count,
            lineage={
                "customer_id": ((table, "customer_id"),),
                "as_of": ((table, "as_of"),),
                probability_column(spec): drivers,
                "risk_tier": drivers,
                "expected_value_at_risk": (*drivers, (table, spec.value.spend_feature)),
                **{f"reason_{number}": drivers for number in (1, 2, 3)},
            },
            figures={
                "customers": count,
                "mean_probability": float(probability.mean()),
                "positive_rate": float((probability >= 0.5).mean()),
                "explained": scored.explained,
                "model_version": version,
                **{f"tier_{tier}": number for tier, number in scored.tiers.items()},
            },
            data_version=f"{version}.{night.key}",
        )

    return candidate


def _published(spec: ModelSpec, retailer: Retailer, nights: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    contract, source = published_contract(spec), candidate_contract(spec)
    asset_spec = table_spec(
        contract,
        group=GROUP,
        stage="pipeline",
        kinds=("duckdb", "parquet"),
        deps=[key_of(source)],
        model=spec.name,
        cost_center=spec.business_unit,
        code_version=VERSION,
        partitions_def=nights,
    )

    @dg.multi_asset(name=f"{spec.name}_published", specs=[asset_spec], pool="warehouse")
    @step
    def published(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        settings: dg.ResourceParam[Settings],
        landing: dg.ResourceParam[Landing],
    ) -> dg.MaterializeResult:
        night = Night.parse(context.partition_key)
        deliveries = landing.deliveries(retailer.source.name)
        folder = settings.published / "predictions" / spec.name
        names = ", ".join(f'"{column.name}"' for column in contract.columns)
        with warehouse.write() as connection:
            refuse_outdated(connection, deliveries=deliveries, before=night.plus(1))
            ensure_table(connection, contract)
            stamp(connection, contract, night.key, context.run.run_id)
            rows = replace_rows(
                connection,
                contract.address,
                f"SELECT {names} FROM {source.address} WHERE night = CAST($night AS DATE)",
                {"night": night.day},
                where="night = CAST($night AS DATE)",
            )
        with warehouse.read() as connection, translated_errors(str(folder)):
            size = publish_night(connection, contract.address, night, folder)
            mark_home(settings.home, settings.published)
        return materialisation(
            contract,
            rows,
            lineage={column.name: ((source.address, column.name),) for column in contract.columns},
            figures={
                "customers": rows,
                "bytes": size,
                "dagster/uri": (folder / f"night={night.key}" / NIGHT_FILE).as_uri(),
            },
        )

    return published
