"""What is kept of the history's own days must be what computing them anew would give, whatever is written between."""

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from checks.bulk_figures import KEPT, figures_between
from checks.compiler import compile_rules
from checks.contract import Band, Column, Contract, SqlRule
from checks.rules import Rule
from checks.verdicts import stamp

DAYS = [dt.date(2026, 3, 1) + dt.timedelta(days=number) for number in range(8)]
IS_NEW = "(who, night) IN (SELECT who, min(night) FROM orders.all_people GROUP BY who)"
BAND = Band(Decimal(1))
RULES = tuple(
    SqlRule(id, id, expression, "distribution", band=BAND)
    for id, expression in (
        ("rows", "count(*)"),
        ("rows.again", "count(*)"),
        ("quiet", "nullif(count(*), 1)"),
        ("new", f"count(*) FILTER (WHERE {IS_NEW})"),
        ("strange", "count(*) FILTER (WHERE who NOT IN (SELECT who FROM orders.all_people))"),
    )
)


def contract(table: str, rules: tuple[SqlRule, ...] = ()) -> Contract:
    columns = (Column("night", "DATE", "Night."), Column("who", "VARCHAR", "Who."))
    return Contract("orders", table, "1.0.0", "Rows.", "one row", "shop", (), columns, rules, history=True)


SALE, PEOPLE = contract("sale", RULES), contract("people")


@pytest.fixture
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        empty(connection)
        yield connection


def empty(connection: duckdb.DuckDBPyConnection) -> None:
    for schema in ("orders", "gate", "monitoring"):
        connection.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    connection.execute("CREATE SCHEMA orders")
    for table in (SALE, SALE.twin(), PEOPLE, PEOPLE.twin()):
        connection.execute(table.ddl())
        if table.history is False:
            stamp(connection, table, None, "run")
    connection.execute(
        "CREATE VIEW orders.all_people AS SELECT * FROM orders.people_history UNION ALL FROM orders.people"
    )
    stamp(connection, PEOPLE, DAYS[-1].isoformat(), "run")


def write(connection: duckdb.DuckDBPyConnection, table: Contract, day: dt.date, who: str, *, told: bool = True) -> None:
    """A row more, stamped unless the gate is not told."""
    connection.execute(f"INSERT INTO {table.address} VALUES ($day, $who)", {"day": day, "who": who})
    if told:
        stamp(connection, table, None if table.partitioned_by is None else day.isoformat(), "run")


def figures(
    connection: duckdb.DuckDBPyConnection, first: dt.date, last: dt.date, rules: Sequence[Rule] | None = None
) -> dict[tuple[str, dt.date], float]:
    asked = compile_rules(SALE) if rules is None else rules
    found = [(each.rule, each.day, each.figure) for each in figures_between(connection, SALE, asked, first, last)]
    assert len({(rule, day) for rule, day, _ in found}) == len(found)
    return {(rule, day): figure for rule, day, figure in found}


def by_hand(connection: duckdb.DuckDBPyConnection, first: dt.date, last: dt.date) -> dict[tuple[str, dt.date], float]:
    """Counted row by row in Python."""
    sales = connection.execute("SELECT night, who FROM orders.sale_history").fetchall()
    people = connection.execute("SELECT night, who FROM orders.all_people").fetchall()
    known = {who for _, who in people}
    since = {who: min(day for day, other in people if other == who) for who in known}
    found: dict[tuple[str, dt.date], float] = {}
    for day in {day for day, _ in sales if first <= day <= last}:
        buyers = [who for night, who in sales if night == day]
        found |= {("rows", day): len(buyers), ("rows.again", day): len(buyers)}
        if len(buyers) > 1:
            found["quiet", day] = len(buyers)
        found["new", day] = sum(since.get(who) == day for who in buyers)
        found["strange", day] = sum(who not in known for who in buyers) if known else len(buyers)
    return found


STEP = st.one_of(
    st.tuples(st.just("ask"), st.sampled_from(DAYS), st.sampled_from(DAYS)),
    st.tuples(
        st.sampled_from([SALE.twin().table, PEOPLE.twin().table, PEOPLE.table]),
        st.sampled_from(DAYS),
        st.sampled_from("ABC"),
    ),
)
TABLES = {table.table: table for table in (SALE.twin(), PEOPLE.twin(), PEOPLE)}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(STEP, min_size=4, max_size=14))
def test_figures_when_kept_between_writes_then_they_are_those_counted_by_hand(
    shop: duckdb.DuckDBPyConnection, steps: list[tuple[str, dt.date, str | dt.date]]
) -> None:
    empty(shop)
    for what, day, other in steps:
        if isinstance(other, str):
            write(shop, TABLES[what], day, other)
        else:
            first, last = sorted((day, other))
            assert figures(shop, first, last) == by_hand(shop, first, last)


def test_figures_when_the_days_move_on_then_only_the_new_ones_are_computed(shop: duckdb.DuckDBPyConnection) -> None:
    for day in DAYS:
        write(shop, SALE.twin(), day, "A")
    (rule,) = [each for each in compile_rules(SALE) if each.id == "rows"]
    figures(shop, DAYS[1], DAYS[3], [rule])
    for day in DAYS:
        # Behind the gate's back, so that what is kept can be told from what is computed.
        write(shop, SALE.twin(), day, "A", told=False)
    assert [day for _, day in figures(shop, DAYS[2], DAYS[4], [rule]).items()] == [1, 1, 2]
    on_both_sides = figures(shop, DAYS[0], DAYS[5], [rule])
    assert [on_both_sides["rows", day] for day in DAYS[:6]] == [2, 1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("table", "day", "found"),
    [(PEOPLE, DAYS[5], 1), (PEOPLE, DAYS[1], 0), (PEOPLE, DAYS[0], 0), (PEOPLE.twin(), DAYS[5], 0)],
    ids=["a later night", "the last of the days", "an earlier night", "the history"],
)
def test_figures_when_a_register_is_written_then_what_asked_it_rests_unless_the_night_is_later(
    shop: duckdb.DuckDBPyConnection, table: Contract, day: dt.date, found: int
) -> None:
    (rule,) = [each for each in compile_rules(SALE) if each.id == "new"]
    write(shop, PEOPLE.twin(), DAYS[1], "A")
    write(shop, SALE.twin(), DAYS[1], "A")
    assert figures(shop, DAYS[0], DAYS[1], [rule]) == {("new", DAYS[1]): 1}
    shop.execute("DELETE FROM orders.people_history")
    write(shop, table, day, "B")
    assert figures(shop, DAYS[0], DAYS[1], [rule]) == {("new", DAYS[1]): found}


def test_figures_when_nobody_stamps_a_table_then_nothing_that_rests_on_it_is_kept(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    write(shop, SALE.twin(), DAYS[0], "A")
    shop.execute("DELETE FROM gate.materialisation WHERE asset = 'orders.people'")
    figures(shop, DAYS[0], DAYS[1])
    kept = {each.id for each in compile_rules(SALE) if each.figure_hash in hashes(shop)}
    assert kept == {"rows", "rows.again", "quiet"}


def test_figures_when_the_warehouse_is_only_read_then_they_are_computed(tmp_path: object) -> None:
    path = f"{tmp_path}/warehouse.duckdb"
    with duckdb.connect(path) as connection:
        empty(connection)
        write(connection, SALE.twin(), DAYS[0], "A")
        expected = by_hand(connection, DAYS[0], DAYS[1])
    with duckdb.connect(path, read_only=True) as connection:
        assert figures(connection, DAYS[0], DAYS[1]) == expected


def test_figures_when_what_they_rest_on_was_written_then_the_old_lines_are_gone(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    for _ in range(3):
        write(shop, SALE.twin(), DAYS[0], "A")
        figures(shop, DAYS[0], DAYS[1])
    ((written,),) = shop.execute(f"SELECT count(DISTINCT written) FROM {KEPT}").fetchall()
    assert written == 1


def hashes(connection: duckdb.DuckDBPyConnection) -> set[str]:
    return {figure_hash for (figure_hash,) in connection.execute(f"SELECT figure_hash FROM {KEPT}").fetchall()}


def test_figures_when_two_rules_have_one_text_then_both_have_them(shop: duckdb.DuckDBPyConnection) -> None:
    write(shop, SALE.twin(), DAYS[0], "A")
    rules = compile_rules(SALE)
    same = [replace(each, id=f"{each.id}.{number}") for each in rules[:1] for number in (1, 2)]
    for _ in range(2):
        assert figures(shop, DAYS[0], DAYS[0], same) == {(f"rows.{number}", DAYS[0]): 1 for number in (1, 2)}
