"""Fingerprints of orders lead to every night that told one again, whatever was written before, between and since."""

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.nights import Night
from athena_assets.orders import fingerprints
from athena_assets.orders.cleaning import clean_statements
from athena_assets.orders.fingerprints import BOOK, FINGERPRINTS, ORDER_NIGHTS, make_order_nights
from athena_assets.orders.statements import CleanStatement, Scope, make_facts
from athena_assets.sources.source import source_named
from checks.contract_files import load_contract
from checks.verdicts import ensure_gate, stamp, standing_writes
from tests.unit.cleaning_warehouse import create_tables

FIRST = Night(dt.date(2026, 3, 1))
LINES = load_contract("orders.order_lines")
Orders = Sequence[int]

orders = st.lists(st.integers(0, 30), max_size=12)
history = st.lists(st.tuples(st.integers(-4, -1), st.integers(0, 30)), max_size=20)
written = st.lists(st.tuples(st.integers(0, 4), orders), max_size=8)
"""Numbers of orders, one a line; of the history with the night of each, of the nights with which of them it is."""


@pytest.fixture(scope="module")
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse without rows; whoever writes to it rolls back."""
    with duckdb.connect(config={"threads": 2}) as connection:
        create_tables(connection)
        ensure_gate(connection)
        yield connection


@contextmanager
def rolled_back(connection: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    connection.begin()
    try:
        yield connection
    finally:
        connection.rollback()


@pytest.fixture
def connection(empty: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    with rolled_back(empty):
        yield empty


@cache
def known_lines_of(night: Night) -> CleanStatement:
    """The clean lines of a night, of whose facts those only that say what was known."""
    lines = clean_statements(source_named("simulator"), Scope.of_night(night))[0]
    facts = tuple(fact for fact in lines.facts if fact.name in (ORDER_NIGHTS, "known_orders", "earlier_lines"))
    assert len(facts) == 3
    return replace(lines, facts=facts)


def insert(connection: duckdb.DuckDBPyConnection, table: str, lines: Sequence[tuple[int, int]]) -> None:
    """Lines of the orders of nights, of which nothing is said but what tells them apart."""
    connection.execute(
        f"INSERT INTO {table} BY NAME SELECT $first + night AS night, 'd' AS delivery_id, place AS source_row,"
        " CAST($first + night + 1 AS TIMESTAMP) AS known_at, 'O-' || lpad(CAST(number AS VARCHAR), 12, '0') AS order_id"
        " FROM (SELECT unnest($nights::INTEGER[]) AS night, unnest($numbers::INTEGER[]) AS number,"
        " generate_subscripts($nights, 1) AS place)",
        {"first": FIRST.day, "nights": [night for night, _ in lines], "numbers": [number for _, number in lines]},
    )


def write_history(connection: duckdb.DuckDBPyConnection, lines: Sequence[tuple[int, int]]) -> None:
    connection.execute("DELETE FROM orders.order_lines_history")
    insert(connection, "orders.order_lines_history", sorted(lines))
    stamp(connection, LINES.twin(), None, "run")


def write_night(connection: duckdb.DuckDBPyConnection, night: int, lines: Orders, *, stamped: bool = True) -> None:
    day = {"night": FIRST.plus(night).day}
    for table in ("order_lines", "accounting"):
        connection.execute(f"DELETE FROM orders.{table} WHERE night = $night", day)
    connection.execute(
        "INSERT INTO orders.accounting BY NAME SELECT $night AS night, 'd' AS delivery_id, 'order_lines' AS table_name,"
        " 0 AS rows_in, 0 AS rows_kept, 0 AS rows_quarantined, 0 AS rows_repeated, 0 AS amount_in, 0 AS amount_kept,"
        " 0 AS amount_quarantined",
        day,
    )
    insert(connection, "orders.order_lines", [(night, order) for order in lines])
    if stamped:
        stamp(connection, LINES, FIRST.plus(night).key, "run")


def known(connection: duckdb.DuckDBPyConnection, night: int, *, by_fingerprint: bool) -> list[tuple[object, ...]]:
    """The known orders of what the night brings, and the earlier lines of them."""
    made = set()
    if by_fingerprint:
        made = make_order_nights(connection, FIRST.plus(night), standing_writes(connection))
        assert made == {ORDER_NIGHTS}
    make_facts(connection, known_lines_of(FIRST.plus(night)), made)
    rows = connection.execute("SELECT order_id, nights FROM known_orders ORDER BY ALL").fetchall()
    return rows + connection.execute("SELECT order_id, night FROM earlier_lines ORDER BY ALL").fetchall()


@settings(max_examples=40, deadline=None)
@given(bulk=history, again=history, rewritten=st.booleans(), before=written, after=written, brought=orders)
def test_known_orders_when_nights_are_written_in_any_order_and_again_then_those_that_all_lines_tell(
    empty: duckdb.DuckDBPyConnection,
    bulk: list[tuple[int, int]],
    again: list[tuple[int, int]],
    rewritten: bool,
    before: list[tuple[int, list[int]]],
    after: list[tuple[int, list[int]]],
    brought: list[int],
) -> None:
    with rolled_back(empty) as connection:
        insert(connection, "raw.order_lines", [(night, order) for night in (1, 3, 4) for order in brought])
        write_history(connection, bulk)
        for night, lines in before:
            write_night(connection, night, lines)
        for night in (4, 1):
            assert known(connection, night, by_fingerprint=True) == known(connection, night, by_fingerprint=False)
        if rewritten:
            write_history(connection, again)
        for night, lines in after:
            write_night(connection, night, lines)
        for night in (3, 4, 1):
            assert known(connection, night, by_fingerprint=True) == known(connection, night, by_fingerprint=False)


def test_known_orders_when_another_order_has_the_fingerprint_then_its_lines_decide(
    connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fingerprints, "_FINGERPRINT", "hash(order_id) % 2")
    insert(connection, "raw.order_lines", [(1, order) for order in (3, 4, 5, 50)])
    write_history(connection, [(-2, order) for order in range(4)])
    write_night(connection, 0, [4, 6, 7])
    found = known(connection, 1, by_fingerprint=True)
    assert found == known(connection, 1, by_fingerprint=False)
    assert [row[0] for row in found[:2]] == ["O-000000000003", "O-000000000004"]


def test_fingerprints_when_nothing_was_written_since_then_none_is_made_again(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    insert(connection, "raw.order_lines", [(2, 7)])
    write_history(connection, [(-2, 7), (-2, 7), (-1, 7)])
    write_night(connection, 0, [7, 7, 8])
    known(connection, 2, by_fingerprint=True)
    assert connection.execute(f"SELECT count(*) FROM {FINGERPRINTS}").fetchall() == [(4,)]
    connection.execute(f"UPDATE {FINGERPRINTS} SET fingerprint = 1")
    assert known(connection, 2, by_fingerprint=True) == []
    write_night(connection, 0, [7])
    assert known(connection, 2, by_fingerprint=True) == [
        ("O-000000000007", [FIRST.day]),
        ("O-000000000007", FIRST.day),
    ]


def test_fingerprints_when_another_version_of_duckdb_made_them_then_they_are_made_again(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    insert(connection, "raw.order_lines", [(1, 7)])
    write_history(connection, [(-2, 7)])
    known(connection, 1, by_fingerprint=True)
    connection.execute(f"UPDATE {FINGERPRINTS} SET fingerprint = 1")
    connection.execute(f"UPDATE {BOOK} SET made_by = 'v1.4.0'")
    assert known(connection, 1, by_fingerprint=True) == known(connection, 1, by_fingerprint=False) != []
    assert connection.execute(f"SELECT count(*) FROM {FINGERPRINTS}").fetchall() == [(1,)]


@pytest.mark.parametrize(
    "write",
    [
        lambda connection: insert(connection, "orders.order_lines_history", [(-1, 7)]),
        lambda connection: write_night(connection, 0, [7], stamped=False),
    ],
)
def test_order_nights_when_lines_stand_that_nobody_stamped_then_all_are_read(
    connection: duckdb.DuckDBPyConnection, write: Callable[[duckdb.DuckDBPyConnection], None]
) -> None:
    write(connection)
    assert make_order_nights(connection, FIRST.plus(1), standing_writes(connection)) == set()
