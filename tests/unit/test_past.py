"""Which earlier figures a rule is held against: recorded ones, those of the bulk history, last year's week."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from checks.compiler import compile_rules
from checks.contract import Band, Column, Contract, Severity, SqlRule
from checks.overrides import grant, record_use
from checks.past import past_figures
from checks.rules import Past
from checks.verdicts import Evaluation, save, stamp

NIGHT = date(2026, 6, 30)
ROWS = SqlRule(
    "rows.level", "Rows.", "count(*)", "distribution", band=Band(Decimal(1), partitions=3, minimum_rows=2, season=True)
)
SALE = Contract(
    schema="shop",
    table="sale",
    version="1.0.0",
    description="Sales.",
    grain="one sale",
    owner="sales",
    consumers=(),
    columns=(Column("night", "DATE", "Night."),),
    rules=(ROWS,),
    history=True,
)


@pytest.fixture
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute(SALE.ddl())
        connection.execute(SALE.twin().ddl())
        yield connection


def bulk(connection: duckdb.DuckDBPyConnection, day: date, rows: int) -> None:
    connection.execute("INSERT INTO shop.sale_history SELECT $day FROM range($rows)", {"day": day, "rows": rows})


def record(
    connection: duckdb.DuckDBPyConnection,
    days_before: int,
    figure: float,
    *,
    failed: bool = False,
    severity: Severity = "ERROR",
) -> str:
    night = (NIGHT - timedelta(days=days_before)).isoformat()
    stamp(connection, SALE, night, "run")
    evaluation = Evaluation(
        "distribution", "rows.level", severity, "failed" if failed else "passed", "", figure, None, None, "", "", 10
    )
    save(
        connection,
        asset="shop.sale",
        partition=night,
        contract_version="1.0.0",
        verdicts=(),
        evaluations=[evaluation],
        run_id="run",
        at=datetime(2026, 7, 1),
    )
    return night


def figures(connection: duckdb.DuckDBPyConnection) -> list[Past]:
    return list(past_figures(connection, SALE, compile_rules(SALE), before=NIGHT.isoformat())["rows.level"])


def test_past_when_nights_are_recorded_then_the_newest_come_first_and_no_later_one(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    for days, figure in ((4, 4.0), (1, 1.0), (3, 3.0), (2, 2.0), (0, 9.0), (-1, 9.0)):
        record(shop, days, figure)
    assert [each.figure for each in figures(shop)] == [1.0, 2.0, 3.0]


def test_past_when_a_night_was_judged_again_then_its_last_figure_counts(shop: duckdb.DuckDBPyConnection) -> None:
    record(shop, 1, 1.0, failed=True)
    record(shop, 1, 7.0)
    record(shop, 2, 2.0)
    record(shop, 2, 8.0, failed=True)
    assert [each.figure for each in figures(shop)] == [7.0]


def test_past_when_a_night_was_refused_then_it_counts_only_if_a_person_let_it_pass(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    night = record(shop, 1, 99.0, failed=True)
    assert figures(shop) == []
    override = grant(
        shop,
        asset="shop.sale",
        first_partition=night,
        last_partition=night,
        check="distribution",
        person="ada",
        reason="a sale",
        at=datetime(2026, 7, 1),
        lasting=timedelta(days=1),
    )
    assert figures(shop) == []
    record_use(shop, [override], asset="shop.report", partition=night, run_id="run", at=datetime(2026, 7, 1))
    assert [each.figure for each in figures(shop)] == [99.0]


def test_past_when_a_figure_only_informed_then_it_counts_and_was_told(shop: duckdb.DuckDBPyConnection) -> None:
    record(shop, 1, 99.0, failed=True, severity="WARN")
    assert figures(shop) == [Past(99.0, 10, told=True)]


def test_past_when_nights_are_few_then_the_bulk_history_stands_in_without_its_quiet_days(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    record(shop, 1, 50.0)
    for days, rows in ((1, 7), (2, 5), (3, 1), (4, 6), (5, 8)):
        bulk(shop, NIGHT - timedelta(days=days), rows)
    assert figures(shop) == [Past(50.0, 10), Past(5.0, 5), Past(6.0, 6)]


@pytest.mark.parametrize(("days_off", "found"), [(0, True), (3, True), (-3, True), (4, False), (-4, False)])
def test_past_when_a_rule_has_a_season_then_the_same_week_of_last_year_comes_with_it(
    shop: duckdb.DuckDBPyConnection, days_off: int, found: bool
) -> None:
    for days in (1, 2, 3):
        record(shop, days, 50.0)
    bulk(shop, NIGHT - timedelta(days=365 + days_off), 4)
    assert [each for each in figures(shop) if each.year_before] == ([Past(4.0, 4, True)] if found else [])


def test_past_when_last_years_week_was_recorded_then_the_bulk_is_not_asked(shop: duckdb.DuckDBPyConnection) -> None:
    for days in (1, 2, 3):
        record(shop, days, 50.0)
    record(shop, 365, 20.0)
    bulk(shop, NIGHT - timedelta(days=366), 4)
    assert [each.figure for each in figures(shop) if each.year_before] == [20.0]
