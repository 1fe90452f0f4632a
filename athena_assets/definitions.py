"""The one place where all parts meet: sources, orders, features, models, checks, cost, resources, jobs.

`build_definitions(overrides)` returns a fresh `Definitions` for one home, with no global state, so that a test or a
tool composes its own. Loading this module builds the one of `ATHENA_HOME`, which is what Dagster reads.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import dagster as dg

from athena_assets import automation
from athena_assets.features.assets import build_feature_table
from athena_assets.features.feature_contract import feature_contract
from athena_assets.features.feature_set import FeatureSet, load_feature_set
from athena_assets.nights import Night
from athena_assets.orders.assets import build_clean_history, build_clean_nights, clean_contracts
from athena_assets.retailer import Retailer
from athena_assets.sources.assets import build_raw_history, build_raw_nights, raw_contracts
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import source_named
from checks.table_checks import build_table_checks
from resources.home import HomeRecord, read_home
from resources.meter import Meter
from resources.settings import Settings, load_settings
from resources.tables import key_of
from resources.warehouse import Warehouse

NO_HOME = HomeRecord("simulator", date(2026, 10, 29))
"""Whose assets the UI shows before anything has been landed."""


@dataclass(frozen=True)
class Overrides:
    """What a test or a tool may replace."""

    settings: Settings | None = None
    resources: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Athena:
    """The definitions of one home, with the parts they were built from."""

    settings: Settings
    retailer: Retailer
    feature_set: FeatureSet
    definitions: dg.Definitions


def load_retailer(settings: Settings) -> Retailer:
    """The retailer of a home."""
    record = read_home(settings.home) or NO_HOME
    source = source_named(record.source, mapped=settings.home / "mappings")
    delivered = [delivery.last_night for delivery in Landing.of(settings.home).deliveries(source.name)]
    return Retailer(source, Night(record.first_night), Night(max(delivered)) if delivered else None)


def build_athena(settings: Settings, overrides: Overrides | None = None) -> Athena:
    """Compose every part for one home."""
    overrides = overrides or Overrides()
    retailer = load_retailer(settings)
    feature_set = load_feature_set(retailer.feature_tables, business_country=retailer.source.mapping.business_country)
    last = retailer.last_night
    zone = retailer.source.timezone
    nights = automation.nightly_partitions(retailer.first_night.day, last.day if last else None, zone)

    clean_keys = {table: key_of(contract) for table, contract in clean_contracts(retailer).items()}
    history_keys = {table: key_of(contract.twin()) for table, contract in clean_contracts(retailer).items()}
    feature_inputs = [keys[table] for table in retailer.feature_tables for keys in (clean_keys, history_keys)]

    assets = [
        build_raw_history(retailer),
        build_clean_history(retailer),
        build_raw_nights(retailer, nights),
        build_clean_nights(retailer, nights),
        build_feature_table(feature_set, nights, feature_inputs),
    ]
    checks = [
        build_table_checks(contract, partitions_def=partitions)
        for nightly in (*raw_contracts(retailer).values(), *clean_contracts(retailer).values())
        for contract, partitions in ((nightly, nights), (nightly.twin(), None))
    ]
    checks.append(build_table_checks(feature_contract(feature_set), partitions_def=nights, minimum_rows=1))
    resources: dict[str, Any] = {
        "settings": settings,
        "warehouse": Warehouse.of(settings),
        "landing": Landing.of(settings.home),
        "meter": Meter(settings.home),
        **overrides.resources,
    }
    definitions = dg.Definitions(
        assets=assets, asset_checks=checks, resources=resources, executor=dg.in_process_executor
    )
    return Athena(settings, retailer, feature_set, definitions)


def build_definitions(overrides: Overrides | None = None) -> dg.Definitions:
    """Everything Dagster needs, for the home of the overrides' settings or of this process."""
    overrides = overrides or Overrides()
    return build_athena(overrides.settings or load_settings(), overrides).definitions


defs = build_definitions()
