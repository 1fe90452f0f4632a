"""The small shop of `shop.py` on a home of its own, run through Dagster's Python API."""

import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import dagster as dg
import duckdb
import pytest

from checks.contract import Contract

HERE = Path(__file__).parent
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
DAY, NEXT, THIRD = "2026-01-05", "2026-01-06", "2026-01-07"


def _load(name: str) -> ModuleType:
    """A module beside this file: the tests are no package."""
    spec = importlib.util.spec_from_file_location(f"gate_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


shop_module = _load("shop")


def key(name: str) -> dg.AssetKey:
    """`raw` -> the asset key of the shop's table."""
    return dg.AssetKey(["shop", name])


@dataclass
class Run:
    """One finished run of the shop."""

    result: dg.ExecuteInProcessResult

    @property
    def success(self) -> bool:
        """Whether Dagster calls it a success."""
        return self.result.success

    @property
    def made(self) -> set[str]:
        """Tables that were materialised."""
        return {str(event.asset_key.path[-1]) for event in self.result.get_asset_materialization_events()}

    @property
    def refused(self) -> str:
        """What the steps that failed said; empty where none did."""
        failures = [event.step_failure_data for event in self.result.all_events if event.is_step_failure]
        return "\n".join(
            str(data.user_failure_data.description if data.user_failure_data else data.error) for data in failures
        )


@dataclass
class Shop:
    """A home of the shop, its code location and its instance."""

    home: Path
    instance: dg.DagsterInstance
    definitions: dg.Definitions
    cursor: Any = field(default=None)

    def price(self, table: str, partition: str | None, price: int | None) -> None:
        """What a partition holds when it is computed next; None: what it reads."""
        file = shop_module.price_file(self.home, table, partition)
        file.parent.mkdir(parents=True, exist_ok=True)
        if price is None:
            file.unlink(missing_ok=True)
        else:
            file.write_text(str(price))

    def run(
        self,
        *tables: str,
        day: str | None = None,
        to: str | None = None,
        checks: bool = True,
        only_checks: bool = False,
    ) -> Run:
        """Materialise tables in one run: one partition, a range in a single run, or without partitions."""
        keys = {key(name) for name in tables}
        job = self.definitions.resolve_implicit_global_asset_job_def()
        if only_checks:
            graph = self.definitions.resolve_asset_graph()
            chosen = job.get_subset(
                asset_selection=set(), asset_check_selection=set(graph.get_check_keys_for_assets(keys))
            )
        else:
            chosen = job.get_subset(asset_selection=keys, asset_check_selection=None if checks else set())
        tags = {"dagster/partition": day} if day is not None and only_checks else {}
        if to is not None and day is not None:
            tags = {"dagster/asset_partition_range_start": day, "dagster/asset_partition_range_end": to}
        result = chosen.execute_in_process(
            run_config=QUIET,
            partition_key=day if not tags else None,
            tags=tags,
            instance=self.instance,
            raise_on_error=False,
        )
        return Run(result)

    def days(self, *tables: str, first: str, last: str) -> list[Run]:
        """A run for every day of a range, as a backfill of many runs makes them."""
        keys = shop_module.DAYS.get_partition_keys_in_range(dg.PartitionKeyRange(first, last))
        return [self.run(*tables, day=day) for day in keys]

    def contract(self, table: str) -> Contract:
        """The contract of a table."""
        found: Contract = shop_module.shop_tables()[table].contract
        return found

    def prices(self, table: str) -> dict[str, int]:
        """What stands in the warehouse, by partition."""
        column = shop_module.shop_tables()[table].contract.partitioned_by
        return dict(
            self.rows(f"SELECT {f'CAST({column} AS VARCHAR)' if column else repr('')}, price FROM shop.{table}")
        )

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Ask the warehouse."""
        with duckdb.connect(str(self.home / "warehouse.duckdb")) as connection:
            return connection.execute(sql).fetchall()

    def requested(self) -> dict[str, set[str | None]]:
        """What automation asks for at its next look, by table."""
        found = dg.evaluate_automation_conditions(self.definitions, instance=self.instance, cursor=self.cursor)
        self.cursor = found.cursor
        asked: dict[str, set[str | None]] = {}
        for result in found.results:
            subset = result.true_subset
            keys = subset.expensively_compute_asset_partitions() if not subset.is_empty else set()
            for each in keys:
                asked.setdefault(str(each.asset_key.path[-1]), set()).add(each.partition_key)
        return asked

    def rebuilt(self, **options: Any) -> "Shop":
        """The same home and instance with another version of the code."""
        return Shop(self.home, self.instance, shop_module.build_shop(self.home, **options), self.cursor)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shop's home, which is this process's while the test runs."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("ATHENA_HOME", str(folder))
    return folder


@pytest.fixture
def shop(home: Path) -> Iterator[Shop]:
    """The shop, gated, with nothing made yet."""
    with dg.DagsterInstance.ephemeral() as instance:
        yield Shop(home, instance, shop_module.build_shop(home))
