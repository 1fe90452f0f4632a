"""The overall account: what was landed is compared with what the manifests say was delivered."""

from datetime import date, datetime
from decimal import Decimal

import duckdb

from athena_assets.nights import Night
from athena_assets.orders.checks import new_columns
from athena_assets.orders.delivered import discrepancies
from athena_assets.sources.deliveries import DeliveredFile, Delivery

DELIVERY = Delivery(
    delivery_id="shop-1",
    source="shop",
    kind="bulk",
    first_night=date(2026, 1, 1),
    last_night=date(2026, 1, 2),
    registered_at=datetime(2026, 1, 3),
    files=(
        DeliveredFile(
            table="order_lines", path="a", sha256="0", rows=3, rows_before=0, unparsed_rows=0, amount=Decimal("7.5")
        ),
        DeliveredFile(
            table="order_lines", path="b", sha256="1", rows=2, rows_before=3, unparsed_rows=0, amount=Decimal("-0.5")
        ),
    ),
)


def landed(*rows: tuple[int, str]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA orders")
    connection.execute(
        "CREATE TABLE orders.all_accounting (delivery_id VARCHAR, table_name VARCHAR, rows_in BIGINT,"
        " amount_in DECIMAL(38,4))"
    )
    for count, amount in rows:
        connection.execute(
            "INSERT INTO orders.all_accounting VALUES ('shop-1', 'order_lines', ?, ?)", [count, Decimal(amount)]
        )
    return connection


def test_discrepancies_when_the_nights_add_up_to_the_delivery_then_none() -> None:
    assert discrepancies(landed((4, "6.5"), (1, "0.5")), [DELIVERY]) == []


def test_discrepancies_when_a_row_a_penny_or_a_whole_table_is_missing_then_each_is_named() -> None:
    for rows in ([(4, "7.0")], [(5, "6.9999")], []):
        (found,) = discrepancies(landed(*rows), [DELIVERY])
        assert (found.rows_delivered, found.amount_delivered) == (5, Decimal("7.0"))
        assert "shop-1" in str(found)


def nightly(night: int, *undeclared: str) -> Delivery:
    file = DELIVERY.files[0].model_copy(update={"undeclared_columns": undeclared})
    days = {"first_night": date(2026, 1, night), "last_night": date(2026, 1, night)}
    return DELIVERY.model_copy(update={"kind": "nightly", "delivery_id": f"shop-{night}", "files": (file,), **days})


def test_new_columns_when_a_delivery_brings_one_then_it_is_told_on_its_first_night_alone() -> None:
    deliveries = [DELIVERY, nightly(3), nightly(4, "cashier"), nightly(5, "cashier", "till")]
    found = [new_columns(deliveries, Night(date(2026, 1, day))) for day in (3, 4, 5)]
    assert [["cashier" in line for line in lines] for lines in found] == [[], [True], [False]]
    assert "new column 'till' is not in the contract of raw.order_lines" in found[2][0]
