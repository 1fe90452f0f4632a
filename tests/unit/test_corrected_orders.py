"""An order that comes again: the same is a repeat, other content a new version, and money adds up either way."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.nights import Night
from athena_assets.orders.rules import InvalidRules, rules_for
from athena_assets.orders.statements import Scope
from athena_assets.sources.source import Source, source_named
from tests.unit.cleaning_warehouse import clean_into, create_tables
from tests.unit.feature_histories import PATIENT

SIMULATOR = source_named("simulator")
PLACED = date(2026, 10, 1)
BOOT, LACE, SOCK = ("boot", 1, "60.00"), ("lace", 2, "2.50"), ("sock", 3, "4.00")
Line = tuple[str, int, str]
"""Product, quantity, price."""


@dataclass(frozen=True)
class Told:
    """What one night says of an order; `header` is the total it names, None where no header comes."""

    night: int
    order_id: str
    lines: tuple[Line, ...]
    header: Decimal | None
    is_header_dated: bool = True
    """Whether the header says that it became known on the night that brought it."""

    @classmethod
    def of(cls, night: int, *lines: Line, order_id: str = "O-1") -> "Told":
        """A header that its lines add up to."""
        return cls(night, order_id, lines, money(lines))


def money(lines: Sequence[Line]) -> Decimal:
    return sum((quantity * Decimal(price) for _, quantity, price in lines), Decimal(0))


def night_of(number: int) -> Night:
    return Night(PLACED + timedelta(days=number))


@contextmanager
def cleaned(told: Sequence[Told], *, history: int, source: Source = SIMULATOR) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse into which nights before `history` came in bulk, and the others one by one."""
    with duckdb.connect(config={"threads": 1}) as connection:
        create_tables(connection)
        rows = 0
        for each in sorted(told, key=lambda each: (each.night, each.order_id)):
            night = night_of(each.night)
            suffix, delivery = ("_history", "bulk") if each.night < history else ("", night.key)
            placed = datetime.combine(PLACED, datetime.min.time()) + timedelta(hours=9 + int(each.order_id[-1]))
            common = {
                "delivery_id": delivery, "night": night.day, "known_at": night.as_of, "order_id": each.order_id,
                "customer_id": "C-1", "order_ts": placed, "is_return": False, "channel": "web", "country": "France",
            }  # fmt: skip
            for product, quantity, price in each.lines:
                rows += 1
                line = {"product_id": product, "quantity": quantity, "unit_price": Decimal(price)}
                insert(connection, f"order_lines{suffix}", **common, source_row=rows, **line)
            if each.header is not None:
                known_at = night.as_of if each.is_header_dated else night.plus(1).as_of
                header = {**common, "known_at": known_at, "source_row": rows, "total_order_amount": each.header}
                insert(connection, f"orders{suffix}", **header)
        nights = sorted({each.night for each in told if each.night >= history})
        for scope in (Scope.history(), *(Scope.of_night(night_of(number)) for number in nights)):
            clean_into(connection, source, scope)
        yield connection


def insert(connection: duckdb.DuckDBPyConnection, table: str, **row: Any) -> None:
    values = ", ".join(f"${name}" for name in row)
    connection.execute(f"INSERT INTO raw.{table} ({', '.join(row)}) VALUES ({values})", row)


def kept(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str, Decimal, bool, int]]:
    """Night, order, total, is_correction and line count of every kept header."""
    rows = connection.execute(
        "SELECT night - $placed, order_id, total_order_amount, is_correction, line_count FROM"
        " (FROM orders.orders UNION ALL BY NAME FROM orders.orders_history) ORDER BY ALL",
        {"placed": PLACED},
    )
    return rows.fetchall()


def kept_of_lines(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str, Decimal, bool, int]]:
    """The same by the kept lines."""
    rows = connection.execute(
        "SELECT night - $placed, order_id, sum(line_amount), bool_and(is_correction), count(*) FROM"
        " (FROM orders.order_lines UNION ALL BY NAME FROM orders.order_lines_history) GROUP BY ALL ORDER BY ALL",
        {"placed": PLACED},
    )
    return rows.fetchall()


def refused(connection: duckdb.DuckDBPyConnection) -> list[tuple[int, str, str]]:
    """Night, table and code of every quarantined row."""
    rows = connection.execute(
        "SELECT night - $placed, table_name, reason_code FROM"
        " (FROM orders.quarantine UNION ALL BY NAME FROM orders.quarantine_history) ORDER BY ALL",
        {"placed": PLACED},
    )
    return rows.fetchall()


def again(night: int, lines: int, code: str = "delivered_again", header: str | None = None) -> list[Any]:
    return [*[(night, "order_lines", code)] * lines, (night, "orders", header or code)]


CASES: dict[str, tuple[list[Told], list[tuple[int, str, bool]], list[Any]]] = {
    "a quantity": ([Told.of(0, BOOT, LACE), Told.of(3, BOOT, ("lace", 1, "2.50"))],
                   [(0, "65.00", False), (3, "62.50", True)], []),
    "a price": ([Told.of(0, BOOT), Told.of(3, ("boot", 1, "50.00"))], [(0, "60.00", False), (3, "50.00", True)], []),
    "a line cancelled": ([Told.of(0, BOOT, LACE), Told.of(3, BOOT)], [(0, "65.00", False), (3, "60.00", True)], []),
    "another product for the same money": ([Told.of(0, BOOT), Told.of(3, ("shoe", 1, "60.00"))],
                                           [(0, "60.00", False), (3, "60.00", True)], []),
    "one more of the same": ([Told.of(0, SOCK), Told.of(3, SOCK, SOCK)],
                             [(0, "12.00", False), (3, "24.00", True)], []),
    "a line beside a pair of equal ones": ([Told.of(0, SOCK, SOCK), Told.of(3, SOCK, SOCK, BOOT)],
                                           [(0, "24.00", False), (3, "84.00", True)], []),
    "the same again": ([Told.of(0, BOOT, LACE), Told.of(3, LACE, BOOT)], [(0, "65.00", False)], again(3, 2)),
    "corrected twice": ([Told.of(0, BOOT), Told.of(2, LACE), Told.of(4, SOCK)],
                        [(0, "60.00", False), (2, "5.00", True), (4, "12.00", True)], []),
    "corrected back": ([Told.of(0, BOOT), Told.of(2, LACE), Told.of(4, BOOT)],
                       [(0, "60.00", False), (2, "5.00", True), (4, "60.00", True)], []),
    "a correction again": ([Told.of(0, BOOT), Told.of(2, LACE), Told.of(4, LACE)],
                           [(0, "60.00", False), (2, "5.00", True)], again(4, 1)),
    "a correction without its original": ([Told.of(3, BOOT)], [(3, "60.00", False)], []),
    "a correction before its original": ([Told.of(1, LACE), Told.of(3, BOOT)],
                                         [(1, "5.00", False), (3, "60.00", True)], []),
    "an original that was refused": ([Told(0, "O-1", (BOOT,), Decimal(1)), Told.of(3, BOOT)], [(3, "60.00", False)],
                                     again(0, 1, "total_differs_from_header", "order_without_lines")),
    "a correction that was refused in between": (
        [Told.of(0, BOOT), Told(2, "O-1", (LACE,), Decimal(1)), Told.of(4, LACE)],
        [(0, "60.00", False), (4, "5.00", True)],
        again(2, 1, "total_differs_from_header", "order_without_lines"),
    ),
    "two contents on one night": (
        [Told.of(2, BOOT), Told.of(2, LACE)], [],
        [*[(2, "order_lines", "total_differs_from_header")] * 2,
         (2, "orders", "delivered_twice"), (2, "orders", "order_without_lines")],
    ),
    "a correction twice on one night": (
        [Told.of(0, BOOT), Told.of(2, LACE), Told.of(2, LACE)],
        [(0, "60.00", False)],
        [*[(2, "order_lines", "total_differs_from_header")] * 2,
         (2, "orders", "delivered_twice"), (2, "orders", "order_without_lines")],
    ),
}  # fmt: skip
"""What is told, what is kept of it (night, total, is_correction), and what is not."""


@pytest.mark.parametrize("history", [0, 1, 3, 5])
@pytest.mark.parametrize("case", CASES)
def test_order_that_comes_again_when_its_content_differs_then_it_is_a_version(case: str, history: int) -> None:
    told, versions, quarantined = CASES[case]
    with cleaned(told, history=history) as connection:
        found = kept(connection)
        assert [(night, total, flag) for night, _, total, flag, _ in found] == [
            (night, Decimal(total), flag) for night, total, flag in versions
        ]
        assert kept_of_lines(connection) == found
        assert refused(connection) == sorted(quarantined)


def test_order_when_the_source_does_not_declare_corrections_then_it_waits_in_quarantine() -> None:
    undeclared = Source(SIMULATOR.mapping.model_copy(update={"corrects_orders": False}), "here")
    with cleaned(CASES["a quantity"][0], history=1, source=undeclared) as connection:
        assert [(night, flag) for night, _, _, flag, _ in kept(connection)] == [(0, False)]
        assert {code for _, _, code in refused(connection)} == {"order_already_known", "delivered_again"}


LINES = st.lists(st.sampled_from([BOOT, LACE, SOCK, ("lace", 1, "5.00")]), min_size=1, max_size=3).map(tuple)


@st.composite
def told_orders(draw: st.DrawFn) -> list[Told]:
    """Two orders over six nights: told or not, with a right header mostly, or a wrong or missing one."""
    told = []
    for night in range(6):
        for order_id in ("O-1", "O-2"):
            if draw(st.booleans()):
                lines = draw(LINES)
                header = draw(st.sampled_from([money(lines)] * 4 + [money(lines) + 1, None]))
                told.append(Told(night, order_id, lines, header))
    return told


def expected(told: Sequence[Told]) -> tuple[list[tuple[int, str, Decimal, bool, int]], list[tuple[int, str, str]]]:
    """Oracle, order by order and night by night: what is kept, and what is not."""
    last: dict[str, list[Line]] = {}
    versions, quarantined = [], []
    for each in sorted(told, key=lambda each: each.night):
        content, total = sorted(each.lines), money(each.lines)
        if each.header is None:
            quarantined += again(each.night, len(content), "order_without_header")[:-1]
        elif each.header != total:
            quarantined += again(each.night, len(content), "total_differs_from_header", "order_without_lines")
        elif last.get(each.order_id) == content:
            quarantined += again(each.night, len(content))
        else:
            versions.append((each.night, each.order_id, total, each.order_id in last, len(content)))
            last[each.order_id] = content
    return sorted(versions), sorted(quarantined)


@settings(max_examples=25, **PATIENT)
@given(told=told_orders(), history=st.integers(0, 6))
def test_versions_when_orders_come_again_and_again_then_they_are_the_naive_oracles(
    told: list[Told], history: int
) -> None:
    with cleaned(told, history=history) as connection:
        versions, quarantined = expected(told)
        assert kept(connection) == kept_of_lines(connection) == versions
        assert refused(connection) == quarantined
        account = connection.execute(
            "SELECT coalesce(sum(rows_in), 0), coalesce(sum(amount_in), 0), count(*) FILTER"
            " (WHERE rows_in <> rows_kept + rows_quarantined OR amount_in <> amount_kept + amount_quarantined)"
            " FROM (FROM orders.accounting UNION ALL BY NAME FROM orders.accounting_history)"
            " WHERE table_name = 'order_lines'"
        ).fetchall()
        assert account == [(sum(len(each.lines) for each in told), sum((money(t.lines) for t in told), Decimal(0)), 0)]


@pytest.mark.parametrize("missing", ["orders", "reports_known_at"])
def test_mapping_when_it_corrects_orders_without_telling_versions_apart_then_it_is_refused(missing: str) -> None:
    document = SIMULATOR.mapping.model_dump(by_alias=True) | {"name": "shop"}
    if missing == "orders":
        del document["tables"]["orders"]
    else:
        document["reports_known_at"] = False
        for table in document["tables"].values():
            del table["columns"]["known_at"]
    with pytest.raises(ValueError, match="corrects_orders: expected a table orders and reports_known_at"):
        type(SIMULATOR.mapping).model_validate(document)


@pytest.mark.parametrize("history", [0, 9])
def test_correction_when_its_header_is_refused_then_its_lines_wait_with_it_and_the_next_telling_counts(
    history: int,
) -> None:
    refused = replace(Told.of(2, LACE), is_header_dated=False)
    with cleaned([Told.of(0, BOOT), refused, Told.of(4, LACE)], history=history) as connection:
        found = [(0, "O-1", Decimal("60.0000"), False, 1), (4, "O-1", Decimal("5.0000"), True, 1)]
        assert kept(connection) == kept_of_lines(connection) == found
        reasons = connection.execute(
            "SELECT table_name, reason_code FROM"
            " (FROM orders.quarantine UNION ALL BY NAME FROM orders.quarantine_history)"
            " ORDER BY ALL"
        ).fetchall()
    assert reasons == [("order_lines", "order_without_header"), ("orders", "wrong_night")]


def test_rules_when_they_do_not_know_what_the_source_declares_then_named_error() -> None:
    with pytest.raises(InvalidRules, match="do not agree on corrected orders"):
        rules_for("online_retail_ii", corrects_orders=True)
