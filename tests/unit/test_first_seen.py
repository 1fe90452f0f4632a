"""Asking for the first night of a night's own keys must give what asking for that of every key gives."""

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.compiler import compile_rules
from checks.contract_files import load_contract
from checks.first_seen import of_one_night, registers_of

NIGHTS = [dt.date(2026, 3, day) for day in (1, 2, 3)]
SEEN = "(who, night) IN (SELECT who, min(night) FROM shop.register GROUP BY who)"
KNOWN = "(who, night) IN (SELECT who, min(night) FROM shop.register WHERE who IS NOT NULL GROUP BY who)"
STRANGE = "who NOT IN (SELECT DISTINCT who FROM shop.register WHERE who IS NOT NULL)"
ROWS = st.lists(st.tuples(st.sampled_from(NIGHTS), st.none() | st.sampled_from("ABC")), max_size=8)


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        for table in ("sale", "register"):
            connection.execute(f"CREATE TABLE shop.{table} (night DATE, who VARCHAR)")
        yield connection


@settings(max_examples=200, deadline=None)
@given(sales=ROWS, register=ROWS, night=st.sampled_from(NIGHTS))
def test_figure_when_only_the_nights_own_keys_are_grouped_then_it_is_the_same(
    shop: duckdb.DuckDBPyConnection,
    sales: list[tuple[dt.date, str | None]],
    register: list[tuple[dt.date, str | None]],
    night: dt.date,
) -> None:
    for table, rows in (("sale", sales), ("register", register)):
        shop.execute(f"DELETE FROM shop.{table}")
        for row in rows:
            shop.execute(f"INSERT INTO shop.{table} VALUES (?, ?)", list(row))
    first = {who: min(day for day, other in register if other == who) for _, who in register}
    tonight = [who for day, who in sales if day == night]
    new = sum(who is not None and first.get(who) == night for who in tonight)
    known = set(first) - {None}
    # SQL's NOT IN nothing is true of a null, too.
    strangers = sum(who not in known if who is not None else not known for who in tonight)
    for condition, expected in ((SEEN, new), (KNOWN, new), (f"{KNOWN} OR {STRANGE}", new + strangers)):
        narrowed = of_one_night(f"count(*) FILTER (WHERE {condition})")
        assert "$partition" in narrowed
        assert shop.execute(
            f"SELECT {narrowed} FROM shop.sale WHERE night = CAST($partition AS DATE)", {"partition": str(night)}
        ).fetchall() == [(expected,)]


@pytest.mark.parametrize(
    "condition",
    [
        f"NOT {SEEN}",
        f"{SEEN} AND who > 'A'",
        f"{SEEN} IS NULL",
        f"({SEEN}) IS NULL",
        SEEN.replace("min(night)", "max(night)"),
        SEEN.replace("SELECT who", "SELECT name"),
        SEEN.replace("GROUP BY", "WHERE night > '2026-01-01' GROUP BY"),
        STRANGE,
    ],
)
def test_expression_when_it_asks_anything_else_then_it_is_left_and_looks_into_other_tables(condition: str) -> None:
    expression = f"count(*) FILTER (WHERE {condition})"
    assert of_one_night(expression) == expression
    assert registers_of(expression) is None


def test_registers_when_a_rule_asks_only_what_is_new_then_they_are_named() -> None:
    assert registers_of(f"count(*) FILTER (WHERE {SEEN}) / count(*)") == {"shop.register"}
    assert registers_of("count(*) FILTER (WHERE who IS NULL)") == set()
    assert registers_of(f"count(*) FILTER (WHERE {KNOWN} OR {STRANGE})") is None


def test_rules_of_orders_that_ask_what_is_new_are_recognised() -> None:
    """So that a rewording of a contract which turns the shorter way off is noticed."""
    of_table = {
        table: {
            rule.id: registers_of(rule.expression)
            for rule in compile_rules(load_contract(f"orders.{table}"))
            if "min(night)" in rule.expression
        }
        for table in ("orders", "order_lines")
    }
    assert of_table == {
        "orders": {
            "customer.new_top": {"orders.all_customers"},
            "customers.new_share": {"orders.all_customers"},
        },
        "order_lines": {"products.new_share": {"orders.all_products"}, "countries.new_share": None},
    }
