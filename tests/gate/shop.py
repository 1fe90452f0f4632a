"""A small shop of assets, made with Athena's own machinery: a code location of its own for the tests of the gate.

What a table holds is one price a partition: that of the file `<home>/prices/<table>@<partition>`, else what it reads
upstream, else 1. A negative price breaks a rule of severity ERROR, one above 100 a rule of severity WARN, and at 13 a
rule cannot be evaluated at all. So a test makes a bad day by writing a file, and sees a leak in a reader's price.

    raw -> clean -> report -> page          one partition a day
           clean -> mail                    requested by itself (eager)
           clean -> monthly -> forecast     a month of days; the last month there is
           clean -> rolling                 this day and every earlier one
           clean -> total                   every day, itself without partitions
    stock -> offer                          without partitions, read by every day
    raw -> balance                          reads its own earlier days
    raw -> left, right -> sum               one step; left -> left_report, right -> right_report
    raw -> inside -> inside_report          checked within its own step
    report -> bill                          comes after it and does not read it
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from athena_assets import automation
from athena_assets.automation import monthly_partitions, nightly_partitions
from checks.blocking import check_spec
from checks.compiler import checks_of
from checks.contract import Column, Contract, SqlRule
from checks.evaluation import check_table
from checks.gate import Gate, Policy, gated
from checks.needs import GatePlan, order_only, reads_up_to
from checks.reporting import report
from checks.table_checks import build_table_checks, outcomes_of
from checks.verdicts import stamp
from resources.settings import Settings
from resources.steps import step
from resources.tables import ensure_table, key_of, materialisation, table_spec
from resources.warehouse import Warehouse, replace_rows

FIRST, LAST = date(2025, 12, 28), date(2026, 2, 3)
DAYS = nightly_partitions(FIRST, LAST, "Europe/London")
MONTHS = monthly_partitions(FIRST, LAST, "Europe/London")
BAD, HIGH, UNJUDGEABLE = -1, 101, 13
PARTITION_COLUMN = {DAYS: "night", MONTHS: "month"}

EAGER = dg.AutomationCondition.eager().without(dg.AutomationCondition.in_latest_time_window())
"""Requests any day, not the last one only, so that a bad day could leak."""

Dep = dg.AssetDep | dg.AssetKey


def contract_of(
    table: str, partitions: dg.PartitionsDefinition | None, *, schema: str = "shop", minimum: int = 0
) -> Contract:
    """The contract of a table of the shop; `minimum` is the lowest price that its rule of severity ERROR allows."""
    column = PARTITION_COLUMN.get(partitions) if partitions is not None else None  # type: ignore[call-overload]
    of_partition = [Column(column, "DATE", "Partition.", required=True, key=True)] if column else []
    return Contract(
        schema=schema,
        table=table,
        version="1.0.0",
        description=f"The table {table} of the shop.",
        grain="one article",
        owner="shop team",
        consumers=("tests",),
        columns=(
            *of_partition,
            Column("article", "BIGINT", "Article.", required=True, key=True),
            Column("price", "BIGINT", "Price.", required=True),
        ),
        rules=(
            SqlRule(
                "price.allowed",
                f"price is below {minimum}",
                f"count(*) FILTER (WHERE price < {minimum})",
                "accuracy",
            ),
            SqlRule(
                "price.usual",
                "price is unusually high",
                "count(*) FILTER (WHERE price > 100)",
                "distribution",
                severity="WARN",
            ),
            SqlRule(
                "price.judged",
                "a rule that cannot be evaluated at a price of 13",
                f"coalesce(sum(CASE WHEN price = {UNJUDGEABLE} THEN error('no verdict at 13') ELSE 0 END), 0)",
                "accuracy",
            ),
        ),
        partitioned_by=column,
    )


def price_file(home: Path, table: str, partition: str | None) -> Path:
    """Where the price of a partition is written down."""
    return home / "prices" / f"{table}@{partition or ''}"


@dataclass(frozen=True)
class Table:
    """One table of the shop and what it reads."""

    name: str
    partitions: dg.PartitionsDefinition | None
    deps: tuple[Dep, ...] = ()
    reads: str = "SELECT 1 AS price"
    """SQL of the price that it computes; `$partition` is its own."""
    own_earlier: bool = False
    condition: dg.AutomationCondition[dg.AssetKey] | None = None
    minimum: int = 0

    @property
    def contract(self) -> Contract:
        return contract_of(self.name, self.partitions, minimum=self.minimum)

    @property
    def spec(self) -> dg.AssetSpec:
        spec = table_spec(
            self.contract,
            group="shop",
            stage="pipeline",
            deps=self.deps,
            code_version="1",
            partitions_def=self.partitions,
            reads_own_earlier=self.own_earlier,
        )
        return spec.replace_attributes(automation_condition=self.condition) if self.condition else spec

    def write(self, connection: duckdb.DuckDBPyConnection, home: Path, partition: str | None, run_id: str) -> int:
        """Compute one partition: stamp it and replace its rows, in the caller's transaction."""
        ensure_table(connection, self.contract)
        stamp(connection, self.contract, partition, run_id)
        file = price_file(home, self.name, partition)
        price = file.read_text() if file.exists() else f"coalesce(({self.reads}), 1)"
        column = self.contract.partitioned_by
        return replace_rows(
            connection,
            self.contract.address,
            f"SELECT {f'CAST($partition AS DATE) AS {column},' if column else ''} 1 AS article, {price} AS price",
            {"partition": partition},
            where=f"{column} = CAST($partition AS DATE)" if column else "true",
        )


def step_of(tables: Sequence[Table], *, can_subset: bool = False) -> dg.AssetsDefinition:
    """One step that computes tables, partition by partition, in one transaction each."""
    partitions = tables[0].partitions

    @dg.multi_asset(
        name="_and_".join(table.name for table in tables),
        specs=[table.spec.replace_attributes(skippable=can_subset) for table in tables],
        can_subset=can_subset,
        # A day that fails does not keep the other days of a run of many from being asked for again.
        backfill_policy=dg.BackfillPolicy.single_run() if partitions is not None else None,
        pool="warehouse",
    )
    @step
    def compute(
        context: dg.AssetExecutionContext, warehouse: Warehouse, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult]:
        chosen = [table for table in tables if key_of(table.contract) in context.selected_asset_keys]
        for table in chosen:
            rows = 0
            for partition in context.partition_keys if partitions is not None else [None]:
                with warehouse.write() as connection:
                    rows += table.write(connection, settings.home, partition, context.run.run_id)
                    if (settings.home / "roll_back").exists():
                        raise OSError("the shop's disk has failed")
            if (settings.home / "die").exists():
                os._exit(9)
            yield materialisation(table.contract, rows)

    return compute


def checked_inside(table: Table) -> dg.AssetsDefinition:
    """A table that is checked within its own step (`check_specs`), with the machinery of every check."""
    contract, checks = table.contract, checks_of(table.contract)
    specs = [
        check_spec(
            each.name,
            key_of(contract),
            each.group,
            table.partitions,
            rules_hash=each.rules_hash,
            severity=each.severity,
        )
        for each in checks
    ]

    @dg.multi_asset(name=table.name, specs=[table.spec], check_specs=specs, pool="warehouse")
    @step
    def compute(
        context: dg.AssetExecutionContext, warehouse: Warehouse, settings: dg.ResourceParam[Settings]
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        partition = context.partition_key
        with warehouse.write() as connection:
            rows = table.write(connection, settings.home, partition, context.run.run_id)
            result = check_table(connection, contract, partition=partition)
            results = report(context, connection, contract, [(partition, outcomes_of(result, checks))])
        yield materialisation(contract, rows)
        yield from results

    return compute


def price_of(table: str, column: str = "night") -> str:
    """SQL of the price of the same partition of another table."""
    return f"SELECT min(price) FROM shop.{table} WHERE {column} = CAST($partition AS DATE)"


def shop_tables(*, raw_minimum: int = 0) -> dict[str, Table]:
    """Every table of the shop by its name."""

    def key(name: str) -> dg.AssetKey:
        return dg.AssetKey(["shop", name])

    raw = Table("raw", DAYS, minimum=raw_minimum)
    every = [
        raw,
        Table("clean", DAYS, (key("raw"),), price_of("raw")),
        Table("report", DAYS, (key("clean"),), price_of("clean")),
        Table("page", DAYS, (key("report"),), price_of("report")),
        Table("mail", DAYS, (key("clean"),), price_of("clean"), condition=EAGER),
        Table(
            "monthly",
            MONTHS,
            (dg.AssetDep(key("clean"), partition_mapping=automation.nights_of_month()),),
            "SELECT min(price) FROM shop.clean WHERE date_trunc('month', night) = CAST($partition AS DATE)",
        ),
        Table(
            "forecast",
            DAYS,
            (dg.AssetDep(key("monthly"), partition_mapping=dg.LastPartitionMapping()),),
            "SELECT price FROM shop.monthly ORDER BY month DESC LIMIT 1",
        ),
        Table(
            "rolling",
            DAYS,
            (reads_up_to(key("clean")),),
            "SELECT min(price) FROM shop.clean WHERE night <= CAST($partition AS DATE)",
        ),
        Table("total", None, (key("clean"),), "SELECT min(price) FROM shop.clean"),
        Table("stock", None),
        Table("offer", DAYS, (key("stock"),), "SELECT min(price) FROM shop.stock"),
        Table(
            "balance",
            DAYS,
            (key("raw"),),
            "SELECT min(price) FROM (SELECT price FROM shop.balance WHERE night < CAST($partition AS DATE)"
            f" UNION ALL ({price_of('raw')}))",
            own_earlier=True,
        ),
        Table("left", DAYS, (key("raw"),), price_of("raw")),
        Table("right", DAYS, (key("raw"),), price_of("raw")),
        Table("sum", DAYS, (key("left"), key("right")), price_of("left")),
        Table("left_report", DAYS, (key("left"),), price_of("left")),
        Table("right_report", DAYS, (key("right"),), price_of("right")),
        Table("inside", DAYS, (key("raw"),), price_of("raw")),
        Table("inside_report", DAYS, (key("inside"),), price_of("inside")),
        Table("bill", None, (order_only(key("report")),)),
    ]
    return {table.name: table for table in every}


ONE_STEP = ("left", "right", "sum")
INSIDE = "inside"


def build_shop(
    home: Path, policy: Policy | None = None, *, raw_minimum: int = 0, partitioned_checks: bool = True
) -> dg.Definitions:
    """The shop's code location.

    raw_minimum: the lowest price that the contract of `raw` allows: another figure is another contract.
    partitioned_checks: whether checks are partitioned as their tables are, as they have to be.
    """
    settings = Settings(home=home)
    tables = shop_tables(raw_minimum=raw_minimum)
    steps = [step_of([table]) for name, table in tables.items() if name not in (*ONE_STEP, INSIDE)]
    steps += [step_of([tables[name] for name in ONE_STEP], can_subset=True), checked_inside(tables[INSIDE])]
    resources: dict[str, Any] = {"warehouse": Warehouse.of(settings), "settings": settings}
    gate = policy or Gate(Warehouse.of(settings), lambda: GatePlan(definitions.resolve_asset_graph()))
    assets = [gated(each, gate) for each in steps]
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=[
            build_table_checks(table.contract, partitions_def=table.partitions if partitioned_checks else None)
            for table in tables.values()
            if table.name != INSIDE
        ],
        sensors=automation.condition_sensors(assets),
        jobs=[
            dg.define_asset_job("day", selection=dg.AssetSelection.assets(*_days(tables))),
            dg.define_asset_job("unchecked", selection=dg.AssetSelection.assets(*_days(tables)).without_checks()),
        ],
        resources=resources,
        executor=dg.in_process_executor,
    )
    return definitions


def _days(tables: dict[str, Table]) -> list[dg.AssetKey]:
    return [key_of(tables[name].contract) for name in ("raw", "clean", "report")]
