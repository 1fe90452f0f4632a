"""The one place where all parts meet: sources, orders, features, models, checks, cost, resources, jobs.

`build_definitions(overrides)` returns a fresh `Definitions` for one home, with no global state, so that a test or a
tool composes its own; what Dagster reads is in `code_location.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg

from athena_assets import automation
from athena_assets.contracts import clean_contracts, raw_contracts
from athena_assets.features.assets import build_feature_table
from athena_assets.features.feature_contract import feature_contract
from athena_assets.features.feature_set import FeatureSet, load_feature_set
from athena_assets.lifecycle.assets import build_model_assets
from athena_assets.lifecycle.checks import build_model_gate
from athena_assets.lifecycle.model_spec import MODELS, ModelSpec, load_model_spec, model_names
from athena_assets.lifecycle.model_tables import ModelTables
from athena_assets.monitoring.automation import build_alert_sensor
from athena_assets.nights import Night
from athena_assets.opening.assets import build_night_pins
from athena_assets.orders.assets import build_clean_history, build_clean_nights
from athena_assets.orders.checks import build_delivered_check
from athena_assets.predictions.assets import build_prediction_assets
from athena_assets.predictions.checks import build_drift_check
from athena_assets.predictions.prediction_contract import candidate_contract, published_contract
from athena_assets.retailer import Retailer
from athena_assets.sources.aliases import source_of_home
from athena_assets.sources.assets import build_raw_history, build_raw_nights
from athena_assets.sources.landing import Landing
from checks.contract_files import load_contract
from checks.gate import Gate, Policy, gated
from checks.needs import GatePlan, reads_up_to
from checks.table_checks import build_table_checks
from cost.assets import build_cost_assets, cost_contracts
from resources.home import HomeRecord, read_home
from resources.meter import Meter
from resources.registry import ModelRegistry
from resources.settings import Settings, load_settings
from resources.tables import key_of
from resources.warehouse import Warehouse

NO_HOME = HomeRecord("simulator", date(2026, 10, 29))
"""Whose assets the UI shows before anything has been landed."""


@dataclass(frozen=True)
class Overrides:
    """What a test or a tool may replace."""

    settings: Settings | None = None
    models: Path = MODELS
    """Folder of the model folders."""
    resources: Mapping[str, Any] = field(default_factory=dict)
    policy: Policy | None = None
    """What may compute; the gate of the home unless a test says otherwise."""


@dataclass(frozen=True)
class Athena:
    """The definitions of one home, with the parts they were built from."""

    settings: Settings
    retailer: Retailer
    feature_set: FeatureSet
    models: tuple[ModelSpec, ...]
    definitions: dg.Definitions


def load_retailer(settings: Settings) -> Retailer:
    """The retailer of a home."""
    record = read_home(settings.home) or NO_HOME
    source = source_of_home(settings.home, record.source)
    delivered = [delivery.last_night for delivery in Landing.of(settings.home).deliveries(source.name)]
    return Retailer(source, Night(record.first_night), Night(max(delivered)) if delivered else None)


def build_athena(settings: Settings, overrides: Overrides | None = None) -> Athena:
    """Compose every part for one home."""
    overrides = overrides or Overrides()
    retailer = load_retailer(settings)
    feature_set = load_feature_set(
        retailer.feature_tables,
        business_country=retailer.source.mapping.business_country,
        corrected=retailer.corrected_tables,
    )
    models = tuple(load_model_spec(overrides.models / name) for name in model_names(overrides.models))
    last = retailer.last_night
    zone = retailer.source.timezone
    nights = automation.nightly_partitions(retailer.first_night.day, last.day if last else None, zone)

    clean = clean_contracts(retailer)
    night_keys = {table: key_of(contract) for table, contract in clean.items()}
    history_keys = {table: key_of(contract.twin()) for table, contract in clean.items()}
    pins = load_contract("ops.night_pins")
    feature_inputs: list[dg.AssetDep | dg.AssetKey] = [
        *(history_keys[table] for table in retailer.feature_tables),
        *(reads_up_to(night_keys[table]) for table in retailer.feature_tables),
        key_of(pins),
    ]
    intake: list[dg.AssetDep | dg.AssetKey] = [
        *(reads_up_to(key) for key in night_keys.values()),
        history_keys["accounting"],
    ]
    history = [build_raw_history(retailer), build_clean_history(retailer)]
    nightly = [
        build_raw_nights(retailer, nights, [spec.name for spec in models]),
        build_clean_nights(retailer, nights),
        # A check blocks what is directly downstream of its table: all of the intake stands before the opening.
        build_night_pins(retailer, feature_set, models, nights, intake),
        build_feature_table(retailer, feature_set, nights, feature_inputs),
    ]
    months = automation.monthly_partitions(retailer.first_training_month, last.day if last else None, zone)
    over_nights = automation.nights_of_month()
    training_inputs = [
        *(dg.AssetDep(history_keys[table]) for table in retailer.feature_tables),
        *(reads_up_to(night_keys[table], over_nights) for table in retailer.feature_tables),
    ]
    training: list[dg.AssetsDefinition] = []
    model_checks: list[dg.AssetChecksDefinition] = []
    for spec in models:
        tables = ModelTables.of(spec, feature_set)
        training += build_model_assets(spec, feature_set, retailer, months, training_inputs)
        nightly += build_prediction_assets(spec, feature_set, retailer, nights, key_of(tables.registered))
        model_checks += [build_table_checks(table, partitions_def=months, minimum_rows=1) for table in tables.all()]
        model_checks.append(build_model_gate(spec, tables.evaluation, months))
        model_checks += [
            build_table_checks(contract, partitions_def=nights, minimum_rows=1)
            for contract in (candidate_contract(spec), published_contract(spec))
        ]
        model_checks.append(build_drift_check(spec, feature_set, nights))
    bill = build_cost_assets([spec.name for spec in models], [key_of(published_contract(spec)) for spec in models])
    checks = [
        build_table_checks(contract, partitions_def=partitions, is_open=retailer.is_open)
        for night_table in (*raw_contracts(retailer).values(), *clean.values())
        for contract, partitions in ((night_table, nights), (night_table.twin(), None))
    ]
    checks += [
        build_table_checks(pins, partitions_def=nights, minimum_rows=1),
        build_table_checks(feature_contract(feature_set), partitions_def=nights, minimum_rows=1),
        build_delivered_check(retailer, clean["accounting"], nights),
        build_delivered_check(retailer, clean["accounting"].twin(), None),
        *model_checks,
        *(build_table_checks(contract) for contract in cost_contracts().values()),
    ]
    night_job = dg.define_asset_job(
        "night",
        selection=dg.AssetSelection.assets(*_keys(nightly), *_keys(bill)),
        description="One night, from its deliveries to its published predictions and the bill.",
    )
    history_job = dg.define_asset_job(
        "history",
        selection=dg.AssetSelection.assets(*_keys(history)),
        description="The bulk history before the first night, landed and cleaned.",
    )
    training_job = dg.define_asset_job(
        "training",
        selection=dg.AssetSelection.assets(*_keys(training)),
        description="Every model as of the end of a month: trained, judged, gated, registered, promoted.",
    )
    resources: dict[str, Any] = {
        "settings": settings,
        "warehouse": Warehouse.of(settings),
        "landing": Landing.of(settings.home),
        "registry": ModelRegistry(settings.home),
        "meter": Meter(settings.home),
        **overrides.resources,
    }
    policy = overrides.policy or Gate(Warehouse.of(settings), lambda: GatePlan(definitions.resolve_asset_graph()))
    assets = [gated(each, policy) for each in (*history, *nightly, *training, *bill)]
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=checks,
        jobs=[history_job, training_job, night_job],
        schedules=[automation.night_schedule(night_job), automation.training_schedule(training_job)],
        sensors=[build_alert_sensor(settings, retailer.source), *automation.condition_sensors(assets)],
        resources=resources,
        executor=dg.in_process_executor,
    )
    return Athena(settings, retailer, feature_set, models, definitions)


def _keys(definitions: Sequence[dg.AssetsDefinition]) -> list[dg.AssetKey]:
    return [key for definition in definitions for key in definition.keys]


def build_definitions(overrides: Overrides | None = None) -> dg.Definitions:
    """Everything Dagster needs, for the home of the overrides' settings or of this process."""
    overrides = overrides or Overrides()
    return build_athena(overrides.settings or load_settings(), overrides).definitions
