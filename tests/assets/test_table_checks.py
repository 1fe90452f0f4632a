"""A contract's checks in Dagster: they block, per partition, and say which rule failed."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from athena_assets.automation import nightly_partitions
from checks.contract import Band, Column, Contract, SqlRule
from checks.table_checks import build_table_checks
from checks.verdicts import stamp
from resources.steps import step
from resources.tables import ensure_table, key_of, materialisation, table_spec
from resources.warehouse import Warehouse, replace_rows

NIGHTS = nightly_partitions(date(2026, 1, 1), date(2026, 1, 3), "Europe/London")
SALE = Contract(
    schema="shop",
    table="sale",
    version="1.0.0",
    description="Sales.",
    grain="one sale",
    owner="sales team",
    consumers=("tests",),
    columns=(
        Column("night", "DATE", "Night.", required=True),
        Column("price", "BIGINT", "Price.", required=True, key=True, minimum=None, maximum=None),
    ),
)
REPORT = Contract(**{**SALE.__dict__, "table": "report"})


@pytest.fixture
def definitions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.setenv("ATHENA_HOME", str(tmp_path))

    def asset_of(contract: Contract, deps: list[dg.AssetKey], duplicate_on: str | None) -> dg.AssetsDefinition:
        spec = table_spec(contract, group="shop", stage="pipeline", deps=deps, code_version="1", partitions_def=NIGHTS)

        @dg.multi_asset(name=contract.table, specs=[spec])
        @step
        def build(context: dg.AssetExecutionContext, warehouse: Warehouse) -> dg.MaterializeResult:
            copies = 2 if context.partition_key == duplicate_on else 1
            with warehouse.write() as connection:
                ensure_table(connection, contract)
                stamp(connection, contract, context.partition_key, context.run.run_id)
                rows = replace_rows(
                    connection,
                    contract.address,
                    f"SELECT CAST($night AS DATE) AS night, 1 AS price FROM range({copies})",
                    {"night": context.partition_key},
                    where="night = CAST($night AS DATE)",
                )
            return materialisation(contract, rows)

        return build

    return dg.Definitions(
        assets=[asset_of(SALE, [], "2026-01-02"), asset_of(REPORT, [key_of(SALE)], None)],
        asset_checks=[build_table_checks(SALE, partitions_def=NIGHTS)],
        jobs=[dg.define_asset_job("night", selection=dg.AssetSelection.assets("shop/sale", "shop/report"))],
        resources={"warehouse": Warehouse(database=str(tmp_path / "w.duckdb"))},
        executor=dg.in_process_executor,
    )


def run(definitions: dg.Definitions, partition: str, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    job = definitions.resolve_job_def("night")
    return job.execute_in_process(partition_key=partition, instance=instance, raise_on_error=False)


def test_checks_when_a_step_has_several_then_all_name_the_write_they_judged_and_it_is_looked_up_once(
    definitions: dg.Definitions, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []
    look_up = dg.DagsterInstance.fetch_materializations

    def counted(*arguments: Any, **named: Any) -> Any:
        looked_up.append(arguments)
        return look_up(*arguments, **named)

    monkeypatch.setattr(dg.DagsterInstance, "fetch_materializations", counted)
    with dg.DagsterInstance.ephemeral() as instance:
        result = run(definitions, "2026-01-01", instance)
        (record,) = look_up(instance, key_of(SALE), limit=1).records
    evaluations = result.get_asset_check_evaluations()
    assert len(evaluations) > 1
    targets = [evaluation.target_materialization_data for evaluation in evaluations]
    assert {target.storage_id for target in targets if target} == {record.storage_id}
    assert all(targets)
    assert len(looked_up) == 1


def test_check_when_a_night_repeats_a_key_then_that_night_stops_and_another_does_not(
    definitions: dg.Definitions,
) -> None:
    instance = dg.DagsterInstance.ephemeral()
    good, bad = run(definitions, "2026-01-01", instance), run(definitions, "2026-01-02", instance)
    assert good.success
    assert {event.asset_key.to_user_string() for event in good.get_asset_materialization_events()} == {
        "shop/sale",
        "shop/report",
    }
    assert not bad.success
    assert [event.asset_key.to_user_string() for event in bad.get_asset_materialization_events()] == ["shop/sale"]
    (fault,) = [item for item in bad.get_asset_check_evaluations() if not item.passed]
    assert fault.check_name == "keys"
    assert "key.unique: rows that repeat the key (price) (1 rows, limit 0)" in str(fault.description)
    assert fault.partition == "2026-01-02"


def test_asset_when_it_fails_clearly_then_the_run_says_the_named_error_and_does_not_retry(
    definitions: dg.Definitions, tmp_path: Path
) -> None:
    instance = dg.DagsterInstance.ephemeral()
    (tmp_path / "w.duckdb").write_bytes(b"no database" * 1000)
    result = run(definitions, "2026-01-01", instance)
    assert not result.success
    failures = [event for event in result.all_events if event.is_step_failure]
    assert [event.step_key for event in failures] == ["sale"]
    data = failures[0].step_failure_data
    assert "the warehouse file cannot be read" in str(data.user_failure_data.description)
    assert not [event for event in result.all_events if event.is_step_up_for_retry]


PRICES = (10, 10, 10, 50, 10, 10)
"""One night's price after another: the fourth is out of what the shop ever had."""
WEEK = nightly_partitions(date(2026, 1, 1), date(2026, 1, len(PRICES)), "Europe/London")
LEVEL = SqlRule(
    "price.level",
    "Price.",
    "median(price)",
    "distribution",
    band=Band(Decimal("0.2"), at_least=3, partitions=3, minimum_rows=1, relative=True),
)
BANDED = replace(SALE, rules=(LEVEL,))


def checked_in_one_run(folder: Path, spans: list[tuple[int, int]]) -> dict[str, str]:
    """Status of the rule by night, after a check run for each span (first and last day) of a week without verdicts."""
    warehouse = Warehouse(database=str(folder / "w.duckdb"))
    with warehouse.write() as connection:
        ensure_table(connection, BANDED)
        for number, price in enumerate(PRICES, 1):
            night = f"2026-01-{number:02d}"
            stamp(connection, BANDED, night, "loaded")
            connection.execute("INSERT INTO shop.sale VALUES ($night, $price)", {"night": night, "price": price})
    definitions = dg.Definitions(
        assets=[dg.AssetSpec(["shop", "sale"], partitions_def=WEEK)],
        asset_checks=[build_table_checks(BANDED, partitions_def=WEEK)],
        resources={"warehouse": warehouse},
        executor=dg.in_process_executor,
    )
    job = definitions.resolve_implicit_global_asset_job_def()
    checks = job.get_subset(
        asset_selection=set(), asset_check_selection=set(definitions.resolve_asset_graph().asset_check_keys)
    )
    for first, last in spans:
        ends = {"start": f"2026-01-{first:02d}", "end": f"2026-01-{last:02d}"}
        tags = {f"dagster/asset_partition_range_{end}": key for end, key in ends.items()}
        checks.execute_in_process(tags=tags, instance=dg.DagsterInstance.ephemeral(), raise_on_error=False)
    with warehouse.read() as connection:
        return dict(
            connection.execute(
                "SELECT partition, status FROM monitoring.check_history WHERE rule = 'price.level'"
            ).fetchall()
        )


def test_check_when_run_over_a_range_then_each_night_is_held_against_those_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if every night had been checked alone, in order."""
    monkeypatch.setenv("ATHENA_HOME", str(tmp_path))
    for name in ("one", "each"):
        (tmp_path / name).mkdir()
    at_once = checked_in_one_run(tmp_path / "one", [(1, len(PRICES))])
    one_by_one = checked_in_one_run(tmp_path / "each", [(day, day) for day in range(1, len(PRICES) + 1)])
    assert at_once == one_by_one
    assert list(at_once.values()) == [*["not evaluated"] * 3, "failed", "passed", "passed"]
