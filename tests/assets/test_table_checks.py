"""A contract's checks in Dagster: they block, per partition, and say which rule failed."""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from athena_assets.automation import nightly_partitions
from checks.contract import Column, Contract
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
