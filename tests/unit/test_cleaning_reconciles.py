"""Every row ends kept or in quarantine and money adds up: random frames, the simulator's headers, the real file."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from athena_assets.nights import Night
from athena_assets.orders.cleaning import reason_statements
from athena_assets.orders.statements import Scope
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import Source, source_named
from tests.unit.cleaning_warehouse import clean_into, create_tables

RETAIL = source_named("online_retail_ii")
SIMULATOR = source_named("simulator")
START = datetime(2010, 12, 1, 8)


@contextmanager
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """Empty contract tables in memory."""
    with duckdb.connect(config={"threads": 2}) as connection:
        create_tables(connection)
        yield connection


def clean(connection: duckdb.DuckDBPyConnection, source: Source, scope: Scope) -> None:
    clean_into(connection, source, scope)


def insert(connection: duckdb.DuckDBPyConnection, table: str, **row: Any) -> None:
    names = ", ".join(row)
    values = ", ".join(f"${name}" for name in row)
    connection.execute(f"INSERT INTO raw.{table} ({names}) VALUES ({values})", row)


@st.composite
def raw_line(draw: st.DrawFn) -> dict[str, Any]:
    """A line from a small world, so that duplicates, reversals and faults are frequent."""
    order_ts = START + timedelta(minutes=draw(st.sampled_from([0, 1, 30, 60 * 24, 60 * 48])))
    broken = draw(st.integers(0, 9)) == 0
    order_id = draw(st.sampled_from(["1", "2", "C3", "A4"]))
    return {
        "night": (order_ts + timedelta(days=draw(st.sampled_from([0, 0, 0, -1])))).date(),
        "parse_error": "Quantity: x is not a whole number" if broken else None,
        "order_id": order_id,
        "customer_id": draw(st.sampled_from(["C-1", "C-2", None])),
        "order_ts": order_ts,
        "product_id": draw(st.sampled_from(["P1", "P2", "POST", "TEST001", "AMAZONFEE"])),
        "description": draw(st.sampled_from(["HEART", None])),
        "quantity": None if broken else draw(st.sampled_from([1, 1, 2, -1, 0, 80995, -80995, 10**12])),
        "unit_price": draw(st.sampled_from([Decimal("2.55"), Decimal(0), Decimal("-1"), Decimal("0.0001")])),
        "is_return": order_id.startswith("C"),
        "channel": "online",
        "country": draw(st.sampled_from(["France", None])),
    }


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(raw_line(), max_size=25), st.lists(raw_line(), max_size=10))
def test_rows_and_money_in_are_kept_plus_quarantined(
    history: list[dict[str, Any]], night: list[dict[str, Any]]
) -> None:
    tonight = Night(date(2010, 12, 5))
    with warehouse() as connection:
        for number, line in enumerate(history, start=1):
            known_at = datetime.combine(line["night"] + timedelta(days=1), datetime.min.time())
            insert(
                connection,
                "order_lines_history",
                **line,
                delivery_id="bulk",
                source_row=number,
                known_at=known_at,
            )
        for number, line in enumerate(night, start=1):
            row = line | {"night": tonight.day}
            insert(connection, "order_lines", **row, delivery_id="n", source_row=number, known_at=tonight.as_of)
        clean(connection, RETAIL, Scope.history())
        clean(connection, RETAIL, Scope.of_night(tonight))
        for suffix, delivered in (("_history", history), ("", night)):
            rows = connection.execute(
                f"SELECT delivery_id, source_row FROM orders.order_lines{suffix} "
                f"UNION ALL SELECT delivery_id, source_row FROM orders.quarantine{suffix}"
            ).fetchall()
            assert sorted(row for _, row in rows) == list(range(1, len(delivered) + 1))
            totals = connection.execute(
                f"SELECT coalesce(sum(rows_in), 0), coalesce(sum(amount_in), 0), "
                f"count(*) FILTER (WHERE rows_in <> rows_kept + rows_quarantined "
                f"OR amount_in <> amount_kept + amount_quarantined) FROM orders.accounting{suffix}"
            ).fetchall()[0]
            assert totals == (len(delivered), sum(map(money_of, delivered), Decimal(0)), 0)


def money_of(line: dict[str, Any]) -> Decimal:
    """The row's money, by hand: nothing for a row without a quantity or beyond the column's range."""
    amount = (line["quantity"] or 0) * line["unit_price"]
    return amount if abs(amount) < 10**14 else Decimal(0)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 2)), max_size=14))
def test_repeated_stretches_are_found_as_a_person_would_find_them(lines: list[tuple[str, int]]) -> None:
    """Oracle: walk down the file; time running backwards opens a new pass; a line counts as often as the pass
    that holds most of it."""
    expected: Counter[tuple[str, int]] = Counter()
    current: Counter[tuple[str, int]] = Counter()
    previous = -1
    kept = []
    for product, minute in lines:
        if minute < previous:
            current = Counter()
        previous = minute
        current[product, minute] += 1
        if current[product, minute] > expected[product, minute]:
            expected[product, minute] += 1
            kept.append(len(kept))
    with warehouse() as connection:
        for number, (product, minute) in enumerate(lines, start=1):
            insert(
                connection,
                "order_lines_history",
                delivery_id="d",
                source_row=number,
                night=START.date(),
                known_at=datetime(2010, 12, 2),
                order_id="1",
                customer_id="C-1",
                order_ts=START + timedelta(minutes=minute),
                product_id=product,
                quantity=1,
                unit_price=Decimal("1"),
                is_return=False,
                country="France",
            )
        clean(connection, RETAIL, Scope.history())
        found = connection.execute(
            "SELECT product_id, minute(order_ts), count(*) FROM orders.order_lines_history GROUP BY ALL"
        ).fetchall()
    assert {(product, minute): count for product, minute, count in found} == dict(expected)


@pytest.mark.parametrize(
    ("header_total", "codes"),
    [
        (Decimal("5.10"), []),
        (Decimal("5.11"), ["total_differs_from_header", "total_differs_from_header", "order_without_lines"]),
        (None, ["order_without_header", "order_without_header"]),
    ],
)
def test_order_whose_header_and_lines_disagree_waits_whole(header_total: Decimal | None, codes: list[str]) -> None:
    night = Night(date(2026, 10, 29))
    common = {
        "delivery_id": "d", "night": night.day, "known_at": night.as_of, "order_id": "O-1", "customer_id": "C-1",
        "order_ts": datetime(2026, 10, 29, 9), "is_return": False, "channel": "web", "country": "France",
    }  # fmt: skip
    with warehouse() as connection:
        for number in (1, 2):
            product = {"product_id": f"P{number}", "quantity": 1, "unit_price": Decimal("2.55")}
            insert(connection, "order_lines", **common, source_row=number, **product)
        if header_total is not None:
            insert(connection, "orders", **common, source_row=1, total_order_amount=header_total)
        clean(connection, SIMULATOR, Scope.of_night(night))
        found = connection.execute(
            "SELECT reason_code FROM orders.quarantine ORDER BY table_name, source_row"
        ).fetchall()
        assert [code for (code,) in found] == codes
        orders = connection.execute("SELECT total_order_amount, item_count FROM orders.orders").fetchall()
        assert orders == ([] if codes else [(Decimal("5.1000"), 2)])


def load_real(connection: duckdb.DuckDBPyConnection, home: Path, shared_data: Path) -> None:
    landing = Landing.of(home)
    delivery = landing.register(
        RETAIL,
        [shared_data / "retail" / "online_retail_II_to_2011-08-31.parquet"],
        kind="bulk",
        registered_at=datetime(2012, 1, 1),
    )
    for select in landing.raw_selects(connection, RETAIL, delivery, "order_lines"):
        connection.execute(f"INSERT INTO raw.order_lines_history BY NAME {select.sql}", select.parameters)


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The real file, cleaned as history."""
    with warehouse() as connection:
        load_real(connection, tmp_path_factory.mktemp("home"), shared_data)
        clean(connection, RETAIL, Scope.history())
        yield connection


def test_real_file_reconciles_to_the_penny(real: duckdb.DuckDBPyConnection) -> None:
    total = real.execute(
        "SELECT sum(rows_in), sum(amount_in), sum(rows_kept) + sum(rows_quarantined), "
        "sum(amount_kept) + sum(amount_quarantined), "
        "count(*) FILTER (WHERE rows_in <> rows_kept + rows_quarantined), "
        "count(*) FILTER (WHERE amount_in <> amount_kept + amount_quarantined) FROM orders.accounting_history"
    ).fetchall()[0]
    amount = Decimal("15301416.0160")
    assert total == (846_166, amount, 846_166, amount, 0, 0)


def test_real_file_quarantines_what_its_description_counts(real: duckdb.DuckDBPyConnection) -> None:
    """22,523 lines stand twice and six bad debts make -147,614, says the description of the data."""
    codes = {
        code: (rows, amount)
        for code, rows, amount in real.execute(
            "SELECT reason_code, count(*), sum(amount) FROM orders.quarantine_history GROUP BY ALL"
        ).fetchall()
    }
    assert codes["delivered_twice"][0] == 22_523
    assert codes["bad_debt"] == (6, Decimal("-147614.0800"))
    assert sum(rows for rows, _ in codes.values()) == 28_081
    counted = [
        row
        for statement in reason_statements(RETAIL, Scope.history())
        for row in real.execute(statement.whole, statement.parameters).fetchall()
    ]
    assert {(code, (rows, amount)) for _, code, kept, rows, amount in counted if not kept} == set(codes.items())
    assert sum(rows for _, _, _, rows, _ in counted) == 846_166


def test_real_keys_are_unique_and_orders_add_up_to_their_lines(real: duckdb.DuckDBPyConnection) -> None:
    repeated = real.execute(
        "SELECT count(*) - count(DISTINCT order_id) FROM orders.orders_history UNION ALL "
        "SELECT count(*) - count(DISTINCT (customer_id, known_at)) FROM orders.customers_history UNION ALL "
        "SELECT count(*) - count(DISTINCT (product_id, known_at)) FROM orders.products_history"
    ).fetchall()
    assert repeated == [(0,), (0,), (0,)]
    orders, lines = real.execute(
        "SELECT (SELECT sum(total_order_amount) FROM orders.orders_history), "
        "(SELECT sum(line_amount) FROM orders.order_lines_history WHERE is_merchandise)"
    ).fetchall()[0]
    assert orders == lines


@pytest.mark.parametrize(
    ("snapshot", "published"),
    [("2010-06-01", "0.505"), ("2010-12-01", "0.669"), ("2011-03-01", "0.632")],
)
def test_real_churn_rate_is_that_of_the_raw_file(
    real: duckdb.DuckDBPyConnection, snapshot: str, published: str
) -> None:
    """No purchase in 90 days among customers with one in the 365 days before; cleaning moves it by under 0.003."""
    population, churned = real.execute(
        """WITH purchases AS (
            SELECT customer_id, CAST(order_ts AS DATE) - CAST($snapshot AS DATE) AS day
            FROM orders.orders_history WHERE NOT is_return AND customer_id IS NOT NULL
        ), customers AS (
            SELECT customer_id, bool_or(day >= 0) AS came_back
            FROM purchases WHERE day >= -365 AND day < 90 GROUP BY customer_id HAVING bool_or(day < 0)
        )
        SELECT count(*), count(*) FILTER (WHERE NOT came_back) FROM customers""",
        {"snapshot": snapshot},
    ).fetchall()[0]
    assert abs(Decimal(churned) / population - Decimal(published)) < Decimal("0.003")


def test_nights_after_a_history_give_what_one_history_gives(real: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    """The last three trading days delivered night by night: the same lines, orders, customers and products."""
    nights = [Night(date(2011, 8, day)) for day in (28, 30, 31)]
    tables = ("order_lines", "orders", "customers", "products")
    with warehouse() as connection:
        path = tmp_path / "raw.parquet"
        real.execute(f"COPY (FROM raw.order_lines_history WHERE night >= '2011-06-01') TO '{path}'")
        read = f"FROM read_parquet('{path}') WHERE"
        marks = ", ".join(f"'{night.key}'" for night in nights)
        connection.execute(f"INSERT INTO raw.order_lines_history {read} night NOT IN ({marks})")
        connection.execute(f"INSERT INTO raw.order_lines {read} night IN ({marks})")
        clean(connection, RETAIL, Scope.history())
        for night in nights:
            clean(connection, RETAIL, Scope.of_night(night))
        nightly = {
            table: connection.execute(
                f"FROM orders.{table}_history UNION ALL FROM orders.{table} ORDER BY ALL"
            ).fetchall()
            for table in tables
        }
    with warehouse() as connection:
        connection.execute(f"INSERT INTO raw.order_lines_history {read} true")
        clean(connection, RETAIL, Scope.history())
        for table in tables:
            whole = connection.execute(f"FROM orders.{table}_history ORDER BY ALL").fetchall()
            assert nightly[table] == whole, table
