"""What commands share: the home they work in, whose it is, and the definitions that follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.impact import ImpactGraph, impact_graph
from athena_assets.lifecycle.model_spec import model_names
from athena_assets.nights import Night
from athena_assets.orders.continuity import outdated_nights
from athena_assets.pins import was_published
from athena_assets.retailer import Retailer
from athena_assets.sources.aliases import source_of_home
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import Source
from athena_assets.sql import has_table
from resources.home import HomeRecord, need_home
from resources.settings import Settings, load_settings
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from athena_assets.definitions import Athena
    from resources.orchestrator import Orchestrator
    from resources.registry import ModelRegistry


class NothingCleaned(AthenaError):
    """Orders have been delivered, and none has been landed and cleaned yet."""


@dataclass(frozen=True)
class Workplace:
    """One home and everything that is opened from it, each once."""

    settings: Settings

    @cached_property
    def record(self) -> HomeRecord:
        """Whose home it is; raises `NoHome` where nothing has been landed."""
        return need_home(self.settings.home)

    @cached_property
    def source(self) -> Source:
        """The home's source."""
        return source_of_home(self.settings.home, self.record.source)

    @cached_property
    def landing(self) -> Landing:
        """The home's landing zone."""
        return Landing.of(self.settings.home)

    @cached_property
    def impact(self) -> ImpactGraph:
        """What is downstream of the tables and columns of the home's source, with owners."""
        return impact_graph(self.source, cache=self.settings.cache)

    @cached_property
    def athena(self) -> Athena:
        """The definitions of this home, with the parts they were built from."""
        from athena_assets.definitions import build_athena

        return build_athena(self.settings)

    @property
    def retailer(self) -> Retailer:
        """The home's retailer as the asset graph sees it; raises `NoHome` where nothing has been landed."""
        need_home(self.settings.home)
        return self.athena.retailer

    @cached_property
    def orchestrator(self) -> Orchestrator:
        """Runs the home's jobs and records them where the UI looks."""
        from resources.orchestrator import Orchestrator

        return Orchestrator(self.settings, self.athena.definitions)

    @cached_property
    def registry(self) -> ModelRegistry:
        """The home's models and their stages."""
        from resources.registry import ModelRegistry

        return ModelRegistry(self.settings.home)

    @cached_property
    def warehouse(self) -> Warehouse:
        """The home's warehouse."""
        return Warehouse.of(self.settings)

    @contextmanager
    def orders(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse, read-only, once orders are in it; raises `NothingCleaned`, `WarehouseMissing`."""
        with self.warehouse.read() as connection:
            if not has_table(connection, "orders.all_orders"):
                raise NothingCleaned(
                    "no order has been landed and cleaned in this home yet",
                    expected="the view orders.all_orders",
                    found="no such view",
                    next_command="athena run, with the --source of this home",
                )
            yield connection

    def outdated_nights(self) -> dict[str, bool]:
        """Nights that were opened while other deliveries counted than today, in order; whether each was published."""
        if not self.settings.warehouse_path.exists():
            return {}
        deliveries, models = self.landing.deliveries(self.record.source), model_names()
        with self.warehouse.read() as connection:
            return {
                night: all(was_published(connection, model, Night.parse(night)) for model in models)
                for night in outdated_nights(connection, deliveries)
            }

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of the warehouse; none where it, or a table of the question, has not been made yet."""
        if not self.settings.warehouse_path.exists():
            return []
        with self.warehouse.read() as connection:
            try:
                return connection.execute(sql).fetchall()
            except duckdb.CatalogException:
                return []

    def stamped(self, address: str) -> set[str]:
        """Partitions of a table that the gate knows to have been written; '' without partitions."""
        return {
            partition
            for asset, partition in self.ask("SELECT asset, partition FROM gate.materialisation")
            if asset == address
        }

    def verified(self, address: str) -> set[str]:
        """Partitions of a table of which every blocking check has passed, by today's rules; '' without partitions."""
        from checks.gaps import passed_partitions
        from checks.needs import GatePlan

        plan = GatePlan(self.athena.definitions.resolve_asset_graph())
        if not self.settings.warehouse_path.exists():
            return set()
        with self.warehouse.read() as connection:
            return passed_partitions(connection, plan, address)


def here() -> Workplace:
    """The workplace of this process's settings."""
    return Workplace(load_settings())
