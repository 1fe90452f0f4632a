"""Which earlier figures a rule is held against: recorded ones, those of the bulk history, last year's week."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from checks.compiler import compile_rules
from checks.contract import Band, Column, Contract, Severity, SqlRule
from checks.overrides import grant, record_use
from checks.past import past_figures
from checks.rules import Past, RuleResult, Status
from checks.verdicts import Evaluation, ensure_gate, save, stamp

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
    of: Contract = SALE,
) -> str:
    night = (NIGHT - timedelta(days=days_before)).isoformat()
    stamp(connection, of, night, "run")
    (rule,) = compile_rules(of)
    status: Status = "failed" if failed else "passed"
    rule = replace(rule, severity=severity)
    evaluation = Evaluation.of(RuleResult(rule, figure, 10, None, None, status))
    save(
        connection,
        asset="shop.sale",
        partition=night,
        contract_version=of.version,
        verdicts=(),
        evaluations=[evaluation],
        run_id="run",
        at=datetime(2026, 7, 1),
    )
    return night


def figures(connection: duckdb.DuckDBPyConnection, of: Contract = SALE) -> list[Past]:
    return list(past_figures(connection, of, compile_rules(of), before=NIGHT.isoformat())["rows.level"])


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


DOUBLED = replace(SALE, rules=(replace(ROWS, expression="2 * count(*)"),), history=False)
WIDER = replace(SALE, rules=(replace(ROWS, band=Band(Decimal(9), partitions=3, minimum_rows=2)),), history=False)


def test_past_when_the_rule_is_computed_otherwise_today_then_its_old_figures_do_not_count(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    record(shop, 1, 1.0)
    record(shop, 2, 2.0)
    assert figures(shop, DOUBLED) == []
    record(shop, 2, 4.0, of=DOUBLED)
    assert [each.figure for each in figures(shop, DOUBLED)] == [4.0]
    assert [each.figure for each in figures(shop)] == [1.0, 2.0]


def test_past_when_only_the_band_of_the_rule_is_another_then_its_old_figures_count(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    record(shop, 1, 1.0)
    assert [each.figure for each in figures(shop, WIDER)] == [1.0]


def test_past_when_the_home_was_made_before_hashes_were_kept_then_figures_of_the_same_contract_count(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    """Without them every rule of an older home would be off until there are enough nights again."""
    record(shop, 1, 1.0)
    shop.execute("ALTER TABLE monitoring.check_history DROP COLUMN figure_hash")
    assert [each.figure for each in figures(shop)] == [1.0]
    assert figures(shop, replace(DOUBLED, version="2.0.0")) == []
    ensure_gate(shop)
    assert [each.figure for each in figures(shop)] == [1.0]
    assert figures(shop, replace(DOUBLED, version="2.0.0")) == []


def test_save_when_the_home_was_made_before_hashes_were_kept_then_it_keeps_them_from_now_on(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    record(shop, 1, 1.0)
    shop.execute("ALTER TABLE monitoring.check_history DROP COLUMN figure_hash")
    shop.begin()
    record(shop, 2, 2.0)
    shop.commit()
    assert shop.execute("SELECT figure, figure_hash IS NULL FROM monitoring.check_history ORDER BY 1").fetchall() == [
        (1.0, True),
        (2.0, False),
    ]


def test_past_when_the_history_stands_in_then_its_figures_are_kept_until_it_or_the_rule_changes(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    bulk(shop, NIGHT - timedelta(days=1), 5)
    stamp(shop, SALE.twin(), None, "run")
    assert figures(shop) == [Past(5.0, 5)]
    # Behind the gate's back, so that what is kept can be told from what would be computed.
    bulk(shop, NIGHT - timedelta(days=1), 2)
    assert figures(shop) == [Past(5.0, 5)]
    other = replace(SALE, rules=(replace(ROWS, expression="count(*) * 10"),))
    assert figures(shop, other) == [Past(70.0, 7)]
    assert figures(shop) == [Past(5.0, 5)]
    stamp(shop, SALE.twin(), None, "run")
    assert figures(shop) == [Past(7.0, 7)]


def test_past_when_a_rule_has_no_figure_on_any_day_then_that_is_kept_too(shop: duckdb.DuckDBPyConnection) -> None:
    bulk(shop, NIGHT - timedelta(days=1), 5)
    stamp(shop, SALE.twin(), None, "run")
    never = replace(SALE, rules=(replace(ROWS, expression="nullif(count(*), 5)"),))
    assert figures(shop, never) == []
    bulk(shop, NIGHT - timedelta(days=1), 1)
    assert figures(shop, never) == []


def test_past_when_a_rule_looks_into_another_table_then_nothing_of_it_is_kept(shop: duckdb.DuckDBPyConnection) -> None:
    bulk(shop, NIGHT - timedelta(days=1), 5)
    stamp(shop, SALE.twin(), None, "run")
    shop.execute("CREATE TABLE shop.closed (day DATE)")
    beside = "count(*) FILTER (WHERE night NOT IN (SELECT day FROM shop.closed))"
    other = replace(SALE, rules=(replace(ROWS, expression=beside),))
    assert figures(shop, other) == [Past(5.0, 5)]
    shop.execute("INSERT INTO shop.closed VALUES ($day)", {"day": NIGHT - timedelta(days=1)})
    assert figures(shop, other) == [Past(0.0, 5)]
