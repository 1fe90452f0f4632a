"""The night's pins as an asset: opened after its intake, before anything is computed from it."""

from collections.abc import Sequence

import dagster as dg

from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.nights import Night
from athena_assets.opening.versions import champions_of, current_versions
from athena_assets.orders.continuity import refuse_gaps, refuse_outdated
from athena_assets.pins import USE_CURRENT, pins_of_run
from athena_assets.retailer import Retailer
from athena_assets.sources.deliveries import snapshot_until
from athena_assets.sources.landing import Landing
from checks.contract_files import load_contract
from checks.verdicts import stamp
from resources.registry import ModelRegistry
from resources.steps import step
from resources.tables import ensure_table, materialisation, table_spec
from resources.warehouse import Warehouse, replace_rows

GROUP = "opening"
VERSION = "1"


def build_night_pins(
    retailer: Retailer,
    feature_set: FeatureSet,
    models: Sequence[ModelSpec],
    nights: dg.PartitionsDefinition,
    deps: Sequence[dg.AssetDep | dg.AssetKey],
) -> dg.AssetsDefinition:
    """`ops.night_pins`: opens the night, after its intake, before anything is computed from it."""
    contract = load_contract("ops.night_pins")
    spec = table_spec(
        contract,
        group=GROUP,
        stage="pipeline",
        deps=deps,
        code_version=VERSION,
        partitions_def=nights,
    )

    @dg.multi_asset(name="night_pins", specs=[spec], pool="warehouse")
    @step
    def night_pins(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        landing: dg.ResourceParam[Landing],
        registry: dg.ResourceParam[ModelRegistry],
    ) -> dg.MaterializeResult:
        night = Night.parse(context.partition_key)
        deliveries = landing.deliveries(retailer.source.name)
        snapshot = snapshot_until(deliveries, night)
        champions = champions_of(registry, [spec.name for spec in models])
        current = current_versions(snapshot, feature_set.version, champions)
        with warehouse.write(settled=False) as connection:
            ensure_table(connection, contract)
            stamp(connection, contract, night.key, context.run.run_id)
            refuse_gaps(connection, deliveries=deliveries, first_night=retailer.first_night, until=night.plus(1))
            refuse_outdated(connection, deliveries=deliveries, before=night)
            pins = pins_of_run(
                connection,
                night,
                current,
                models=[spec.name for spec in models],
                use_current=context.run.tags.get(USE_CURRENT) == "true",
            )
            values = ", ".join(f"('{subject}', '{version}')" for subject, version in sorted(pins.items()))
            rows = replace_rows(
                connection,
                contract.address,
                f"SELECT CAST($night AS DATE) AS night, subject, version FROM (VALUES {values}) v(subject, version)",
                {"night": night.day},
                where="night = CAST($night AS DATE)",
            )
        return materialisation(contract, rows, figures={"pins": dg.MetadataValue.json(pins)})

    return night_pins
