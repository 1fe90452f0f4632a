"""Nothing is computed over a gap, nor over nights that were computed from what no longer counts."""

from collections.abc import Iterable
from datetime import date, datetime

import duckdb
import pytest

from athena_assets.nights import Night
from athena_assets.orders.continuity import (
    HistoryNotLanded,
    NightsMissing,
    NightsOutdated,
    outdated_nights,
    refuse_gaps,
    refuse_outdated,
)
from athena_assets.sources.deliveries import Delivery, snapshot_until

FIRST = Night.parse("2026-01-10")
HISTORY = ("history", "2025-01-01", "2026-01-09")
NIGHTS = [("a", "2026-01-10", "2026-01-10"), ("b", "2026-01-11", "2026-01-11"), ("c", "2026-01-12", "2026-01-12")]


def delivery(name: str, first: str, last: str) -> Delivery:
    return Delivery(
        delivery_id=name,
        source="shop",
        kind="nightly" if first == last else "bulk",
        first_night=date.fromisoformat(first),
        last_night=date.fromisoformat(last),
        registered_at=datetime(2026, 2, 1),
        files=(),
    )


DELIVERED = [delivery(*each) for each in [HISTORY, *NIGHTS]]


def landed(
    *nights: tuple[str, str], history: Iterable[str] = ("history",), pinned: Iterable[tuple[str, str]] | None = None
) -> duckdb.DuckDBPyConnection:
    """A warehouse whose accounts name these (night, delivery) pairs."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA orders")
    connection.execute("CREATE SCHEMA ops")
    connection.execute("CREATE TABLE orders.accounting_history (night DATE, delivery_id VARCHAR)")
    connection.execute(
        "CREATE TABLE orders.accounting (night DATE, delivery_id VARCHAR, table_name VARCHAR, rows_kept BIGINT)"
    )
    connection.execute("CREATE TABLE orders.order_lines (night DATE)")
    connection.execute("CREATE TABLE orders.orders (night DATE, line_count BIGINT)")
    for name in history:
        connection.execute("INSERT INTO orders.accounting_history VALUES (DATE '2026-01-09', ?)", [name])
    for night, name in nights:
        connection.execute("INSERT INTO orders.accounting VALUES (?, ?, 'order_lines', 0)", [night, name])
    if pinned is not None:
        connection.execute("CREATE TABLE ops.night_pins (night DATE, subject VARCHAR, version VARCHAR)")
        for night, version in pinned:
            connection.execute("INSERT INTO ops.night_pins VALUES (?, 'source_snapshot', ?)", [night, version])
            connection.execute("INSERT INTO ops.night_pins VALUES (?, 'feature_set', 'f1')", [night])
    return connection


AS_DELIVERED = [(first, name) for name, first, _ in NIGHTS]


def refuse(connection: duckdb.DuckDBPyConnection, deliveries: list[Delivery], until: str = "2026-01-13") -> None:
    refuse_gaps(connection, deliveries=deliveries, first_night=FIRST, until=Night.parse(until))


def test_nights_when_landed_as_delivered_then_they_pass() -> None:
    refuse(landed(*AS_DELIVERED), DELIVERED)
    refuse(landed(), DELIVERED, until="2026-01-10")
    later = delivery("d", "2026-01-13", "2026-01-13")
    refuse(landed(*AS_DELIVERED), [*DELIVERED, later])


def test_nights_when_one_was_not_landed_then_it_is_named_with_what_brings_it() -> None:
    with pytest.raises(NightsMissing) as delivered:
        refuse(landed(AS_DELIVERED[0], AS_DELIVERED[2]), DELIVERED)
    assert "not landed: 2026-01-11" in str(delivered.value)
    assert delivered.value.next_command == "athena night 2026-01-11"
    with pytest.raises(NightsMissing) as undelivered:
        refuse(landed(AS_DELIVERED[0], AS_DELIVERED[2]), [each for each in DELIVERED if each.delivery_id != "b"])
    assert undelivered.value.next_command == "athena load --night 2026-01-11 FILES"


def test_nights_when_a_delivery_was_withdrawn_then_its_night_waits_for_another() -> None:
    with pytest.raises(NightsMissing) as withdrawn:
        refuse(landed(*AS_DELIVERED), [each for each in DELIVERED if each.delivery_id != "b"])
    assert "landed from what was withdrawn: 2026-01-11" in str(withdrawn.value)
    assert withdrawn.value.next_command == "athena load --night 2026-01-11 FILES"


@pytest.mark.parametrize(
    "deliveries",
    [
        [*(each for each in DELIVERED if each.delivery_id != "b"), delivery("b2", "2026-01-11", "2026-01-11")],
        [*DELIVERED, delivery("late", "2026-01-11", "2026-01-11")],
    ],
    ids=["replaced", "joined_by_a_late_one"],
)
def test_nights_when_other_deliveries_count_by_now_then_what_makes_them_anew_is_named(
    deliveries: list[Delivery],
) -> None:
    with pytest.raises(NightsOutdated) as outdated:
        refuse(landed(*AS_DELIVERED), deliveries)
    assert "outdated: 2026-01-11\n" in str(outdated.value)
    assert outdated.value.next_command == "athena night 2026-01-11 --current"
    refuse(landed(*AS_DELIVERED), deliveries, until="2026-01-11")


def test_history_when_it_is_not_that_which_counts_then_it_is_landed_first() -> None:
    with pytest.raises(HistoryNotLanded, match="delivery history in orders"):
        refuse(landed(*AS_DELIVERED, history=()), DELIVERED)
    with pytest.raises(HistoryNotLanded, match="wrong, which no longer counts"):
        refuse(landed(*AS_DELIVERED, history=("history", "wrong")), DELIVERED)


def test_outdated_nights_when_an_earlier_delivery_was_replaced_then_all_from_there_on_are_named() -> None:
    pinned = [(first, snapshot_until(DELIVERED, Night.parse(first))) for _, first, _ in NIGHTS]
    connection = landed(*AS_DELIVERED, pinned=pinned)
    assert outdated_nights(connection, DELIVERED) == []
    replaced = [
        *(each for each in DELIVERED if each.delivery_id != "b"),
        delivery("b2", "2026-01-11", "2026-01-11"),
    ]
    assert outdated_nights(connection, replaced) == ["2026-01-11", "2026-01-12"]
    refuse_outdated(connection, deliveries=replaced, before=Night.parse("2026-01-11"))
    with pytest.raises(NightsOutdated) as outdated:
        refuse_outdated(connection, deliveries=replaced, before=Night.parse("2026-01-13"))
    assert outdated.value.next_command == "athena night 2026-01-11 --current && athena night 2026-01-12 --current"


def test_outdated_nights_when_no_night_was_opened_then_none_and_the_transaction_goes_on() -> None:
    connection = landed(*AS_DELIVERED)
    connection.begin()
    assert outdated_nights(connection, DELIVERED) == []
    assert connection.execute("SELECT count(*) FROM orders.accounting").fetchall() == [(3,)]
