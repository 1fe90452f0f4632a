"""The nightly feature table as an asset."""

from collections.abc import Sequence

import dagster as dg

from athena_assets.features.carrying import bring_up_to_date
from athena_assets.features.feature_contract import feature_contract
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lineage import kept_lineage, through_views
from athena_assets.nights import Night
from athena_assets.orders.continuity import refuse_outdated
from athena_assets.pins import FEATURE_SET, need_pin, read_pins
from athena_assets.retailer import Retailer
from athena_assets.sources.landing import Landing
from checks.verdicts import stamp, standing_writes
from resources.settings import Settings
from resources.steps import step
from resources.tables import ensure_table, materialisation, table_spec
from resources.warehouse import Warehouse, replace_rows

GROUP = "features"


def build_feature_table(
    retailer: Retailer,
    feature_set: FeatureSet,
    nights: dg.PartitionsDefinition,
    deps: Sequence[dg.AssetDep | dg.AssetKey],
) -> dg.AssetsDefinition:
    """`features.customer_features`: every available feature of every active customer, one partition per night.

    deps: the clean tables that the features read, and the night's pins.
    """
    contract = feature_contract(feature_set)
    spec = table_spec(
        contract,
        group=GROUP,
        stage="pipeline",
        kinds=("duckdb", "sql"),
        deps=deps,
        code_version=feature_set.version,
        partitions_def=nights,
    )

    @dg.multi_asset(name="customer_features", specs=[spec], pool="warehouse")
    @step
    def customer_features(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        settings: dg.ResourceParam[Settings],
        landing: dg.ResourceParam[Landing],
    ) -> dg.MaterializeResult:
        deliveries = landing.deliveries(retailer.source.name)
        night = Night.parse(context.partition_key)
        parameters = {**feature_set.parameters(night.as_of, night.cutoff), "night": night.day}
        with warehouse.write() as connection:
            need_pin(read_pins(connection, night), FEATURE_SET, feature_set.version, night)
            refuse_outdated(connection, deliveries=deliveries, before=night.plus(1))
            ensure_table(connection, contract)
            stamp(connection, contract, night.key, context.run.run_id)
            reader = feature_set.as_corrected_in(connection)
            moved = bring_up_to_date(connection, reader, night, standing_writes(connection))
            select = f"SELECT CAST($night AS DATE) AS night, * FROM (\n{reader.night_sql(carried=moved)})"
            rows = replace_rows(connection, contract.address, select, parameters, where="night = CAST($night AS DATE)")
        carried = {table: earlier.key if earlier else "all rows" for table, earlier in moved.items()}
        context.log.info("%d customers, %d features; carried on from %s", rows, len(feature_set.columns), carried)
        return materialisation(
            contract,
            rows,
            lineage=through_views(kept_lineage(feature_set.text, settings.cache, lambda: feature_set.lineage)),
            figures={
                "customers": rows,
                "features": len(feature_set.columns),
                "unavailable": dg.MetadataValue.json(dict(feature_set.unavailable)),
                "feature_set_version": feature_set.version,
                "carried_from": dg.MetadataValue.json(carried),
            },
            data_version=feature_set.version,
        )

    return customer_features
