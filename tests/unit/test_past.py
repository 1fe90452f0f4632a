"""Which earlier nights a rule is compared with: those that readers got, and no others."""

from datetime import datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from checks import overrides
from checks.contract import Band, Column, Contract, SqlRule
from checks.evaluation import check_table
from checks.past import past_figures
from checks.rules import Rule
from checks.verdicts import Evaluation, ensure_gate, save, stamp

LEVEL = SqlRule("level", "Rows.", "count(*)", "distribution", band=Band(Decimal(2), scale="log"))
CONTRACT = Contract(
    schema="shop",
    table="sale",
    version="1.0.0",
    description="Sales.",
    grain="one sale",
    owner="sales",
    consumers=(),
    columns=(Column("night", "DATE", "Night.", required=True), Column("id", "INTEGER", "Id.", required=True, key=True)),
    rules=(LEVEL,),
)
RULE = Rule("level", "distribution", "Rows.", "count(*)", band=LEVEL.band)
NOON = datetime(2026, 1, 9, 12)
USUAL, FLOOD = 10, 100


@pytest.fixture
def flooded() -> duckdb.DuckDBPyConnection:
    """Eight usual nights, and a ninth with ten times the rows, each checked as a night is."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA shop")
    connection.execute(CONTRACT.ddl())
    ensure_gate(connection)
    for day in range(1, 10):
        night = f"2026-01-0{day}"
        stamp(connection, CONTRACT, night, "run")
        connection.execute(
            "INSERT INTO shop.sale SELECT CAST($night AS DATE), range FROM range($rows)",
            {"night": night, "rows": FLOOD if day == 9 else USUAL},
        )
        save(
            connection,
            asset=CONTRACT.address,
            partition=night,
            contract_version=CONTRACT.version,
            verdicts=[],
            evaluations=[Evaluation.of(each) for each in check_table(connection, CONTRACT, partition=night).results],
            run_id="run",
            at=NOON,
        )
    return connection


def newest_figure(connection: duckdb.DuckDBPyConnection) -> float:
    return past_figures(connection, CONTRACT, [RULE], before="2026-01-10")["level"][0].figure


def grant(connection: duckdb.DuckDBPyConnection) -> overrides.Override:
    return overrides.grant(
        connection,
        asset=CONTRACT.address,
        first_partition="2026-01-09",
        last_partition="2026-01-09",
        check="distribution",
        person="Mira",
        reason="a sale that was announced",
        at=NOON,
        lasting=timedelta(hours=1),
    )


def test_past_when_a_night_was_refused_then_it_is_no_history(flooded: duckdb.DuckDBPyConnection) -> None:
    assert newest_figure(flooded) == USUAL


def test_past_when_a_refused_night_was_let_through_and_read_then_it_is_history(
    flooded: duckdb.DuckDBPyConnection,
) -> None:
    overrides.record_use(flooded, [grant(flooded)], asset="shop.report", partition="2026-01-09", run_id="run", at=NOON)
    assert newest_figure(flooded) == FLOOD


def test_past_when_an_override_was_taken_back_before_anything_read_the_night_then_it_is_no_history(
    flooded: duckdb.DuckDBPyConnection,
) -> None:
    overrides.revoke(flooded, grant(flooded).id, person="Mira", at=NOON)
    assert newest_figure(flooded) == USUAL
