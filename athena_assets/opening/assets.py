"""The night's pins as an asset: opened after its intake, before anything is computed from it."""

from collections.abc import Sequence

import dagster as dg

from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.nights import Night
from athena_assets.opening.versions import current_versions
from athena_assets.orders.continuity import refuse_gaps, refuse_outdated
from athena_assets.pins import SOURCE_SNAPSHOT, USE_CURRENT, need_pin, pins_to_write, read_pins, was_published
from athena_assets.retailer import Retailer
from athena_assets.sources.deliveries import snapshot_until
from athena_assets.sources.landing import Landing
from checks.contract import load_contract
from checks.verdicts import stamp
from resources.registry import ModelRegistry, NoChampion
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
        current = current_versions(snapshot, feature_set.version, _champions(registry, models))
        with warehouse.write() as connection:
            ensure_table(connection, contract)
            stamp(connection, contract, night.key, context.run.run_id)
            refuse_gaps(connection, deliveries=deliveries, first_night=retailer.first_night, until=night.plus(1))
            refuse_outdated(connection, deliveries=deliveries, before=night)
            pinned = read_pins(connection, night, missing_ok=True)
            # Pins bind what was published; a night that never got that far is opened anew.
            published = all(was_published(connection, spec.name, night) for spec in models)
            use_current = context.run.tags.get(USE_CURRENT) == "true" or not published
            if pinned and not use_current:
                # A delivery that came since and reaches back would give the night other orders under its old name.
                need_pin(pinned, SOURCE_SNAPSHOT, current[SOURCE_SNAPSHOT], night)
            pins = pins_to_write(pinned, current, use_current=use_current)
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


def _champions(registry: ModelRegistry, models: Sequence[ModelSpec]) -> dict[str, str]:
    """The version in production of each model that has one; scoring says which model has none."""
    champions = {}
    for spec in models:
        try:
            champions[spec.name] = registry.champion(spec.name).version
        except NoChampion:
            continue
    return champions
