"""What the simulated retailer delivers: schema, money, references, times, and no truth among it."""

from datetime import date, timedelta
from decimal import Decimal

import duckdb
import pytest

from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.retailer import simulate
from athena_assets.sources.tables import RAW_TABLES

TABLES = tuple(RAW_TABLES)
PARAMETERS = SimulatorParameters()


@pytest.fixture(scope="module")
def retailer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    return simulate(PARAMETERS, folder / "landing", folder / "truth")


@pytest.fixture(scope="module")
def warehouse(retailer):
    """All deliveries as tables, `delivered_on` being the last day of the delivery; truth as truth_*."""
    connection = duckdb.connect()
    for table in TABLES:
        parts = " UNION ALL ".join(
            f"SELECT *, DATE '{delivery.last_day}' AS delivered_on, '{delivery.kind}' AS kind, "
            f"DATE '{delivery.first_day}' AS first_day FROM read_parquet('{path}', "
            "hive_partitioning = false)"
            for delivery in retailer.deliveries
            for path in delivery.tables[table].paths
        )
        connection.execute(f"CREATE TABLE {table} AS {parts}")
    for name, path in retailer.truth.items():
        connection.execute(f"CREATE TABLE truth_{name} AS FROM '{path}'")
    yield connection
    connection.close()


def rows(connection, sql):
    return connection.execute(sql).fetchall()


def test_deliveries_when_defaults_then_two_years_and_three_nights_to_the_end_of_october(retailer):
    bulk, *nights = retailer.deliveries
    assert (bulk.kind, bulk.first_day, bulk.last_day) == ("bulk", date(2024, 10, 29), date(2026, 10, 28))
    assert [(n.kind, n.first_day, n.last_day, n.folder.name) for n in nights] == [
        ("nightly", day, day, f"night={day}") for day in (date(2026, 10, d) for d in (29, 30, 31))
    ]
    assert bulk.tables["customers"].rows == 5_000


@pytest.mark.parametrize("table", TABLES)
def test_files_when_read_then_columns_and_types_are_the_raw_contract(retailer, table):
    expected = [(column.name, column.type) for column in RAW_TABLES[table].columns]
    for delivery in retailer.deliveries:
        (path,) = delivery.tables[table].paths
        assert path.name == f"{table}.parquet"
        described = duckdb.sql(f"DESCRIBE FROM read_parquet('{path}', hive_partitioning = false)").fetchall()
        assert [(name, kind) for name, kind, *_ in described] == [*expected, ("known_at", "TIMESTAMP")]


@pytest.mark.parametrize("table", TABLES)
def test_description_when_compared_with_the_files_then_rows_and_money_agree(retailer, warehouse, table):
    amount = {"order_lines": "sum(quantity * unit_price)", "orders": "sum(total_order_amount)"}.get(table, "NULL")
    counted = rows(warehouse, f"SELECT delivered_on, count(*), {amount} FROM {table} GROUP BY 1 ORDER BY 1")
    described = [(d.last_day, d.tables[table].rows, d.tables[table].amount) for d in retailer.deliveries]
    assert counted == described
    assert all(row_count > 0 for _, row_count, _ in counted)


def test_nulls_when_searched_then_there_are_none(warehouse):
    for table in TABLES:
        columns = [column.name for column in RAW_TABLES[table].columns] + ["known_at"]
        missing = rows(
            warehouse, f"SELECT {', '.join(f'count(*) - count({column})' for column in columns)} FROM {table}"
        )
        assert missing == [(0,) * len(columns)]


def test_order_totals_when_lines_are_summed_then_equal_to_the_penny(warehouse):
    unequal = rows(
        warehouse,
        """SELECT order_id, o.total_order_amount, l.amount
        FROM orders o FULL JOIN (SELECT order_id, sum(quantity * unit_price) AS amount, any_value(is_return) AS r,
            min(order_ts) AS t, any_value(customer_id) AS c FROM order_lines GROUP BY order_id) l USING (order_id)
        WHERE o.total_order_amount IS DISTINCT FROM l.amount OR o.is_return IS DISTINCT FROM l.r
           OR o.order_ts IS DISTINCT FROM l.t OR o.customer_id IS DISTINCT FROM l.c""",
    )
    assert unequal == []
    assert rows(warehouse, "SELECT count(*) FROM order_lines WHERE unit_price <> round(unit_price, 2)") == [(0,)]
    assert rows(warehouse, "SELECT min(unit_price) > 0 FROM order_lines") == [(True,)]


def test_signs_when_an_order_is_a_return_then_negative_else_positive(warehouse):
    assert rows(warehouse, "SELECT count(*) FROM order_lines WHERE (quantity < 0) <> is_return") == [(0,)]
    assert rows(warehouse, "SELECT count(*) FROM orders WHERE (total_order_amount < 0) <> is_return") == [(0,)]
    assert rows(warehouse, "SELECT count(*) FROM orders WHERE is_return")[0][0] > 1_000


def test_keys_when_counted_then_unique(warehouse):
    keys = {
        "orders": "order_id",
        "order_lines": "order_id, product_id",
        "customers": "customer_id",
        "products": "product_id, known_at",
        "service_contacts": "contact_id",
        "campaign_contacts": "contact_id",
    }
    for table, key in keys.items():
        assert rows(warehouse, f"SELECT {key} FROM {table} GROUP BY ALL HAVING count(*) > 1") == []


def test_references_when_joined_then_delivered_no_later_than_the_row(warehouse):
    for table in ("orders", "order_lines", "service_contacts", "campaign_contacts"):
        orphans = f"""SELECT count(*) FROM {table} t LEFT JOIN customers c USING (customer_id)
            WHERE c.known_at IS NULL OR c.known_at > t.known_at OR c.delivered_on > t.delivered_on"""
        assert rows(warehouse, orphans) == [(0,)], table
    assert rows(
        warehouse,
        """SELECT count(*) FROM order_lines l LEFT JOIN (SELECT product_id, any_value(description) AS description,
            min(known_at) AS known_at, min(delivered_on) AS delivered_on FROM products GROUP BY ALL) p
            USING (product_id)
        WHERE p.known_at IS NULL OR p.known_at > l.known_at OR p.delivered_on > l.delivered_on
           OR p.description <> l.description""",
    ) == [(0,)]


def test_prices_when_paid_then_the_list_price_of_the_day_or_less_and_mostly_that(warehouse):
    above, at, lines = rows(
        warehouse,
        """SELECT count(*) FILTER (l.unit_price > p.list_price), count(*) FILTER (l.unit_price = p.list_price), count(*)
        FROM (SELECT *, order_ts::DATE + 1 + INTERVAL 30 MINUTE AS on_the_day FROM order_lines WHERE NOT is_return) l
        ASOF LEFT JOIN products p ON p.product_id = l.product_id AND p.known_at <= l.on_the_day""",
    )[0]
    assert above == 0
    assert at > 0.8 * lines


def test_product_versions_when_delivered_then_each_has_another_price_than_the_one_before(warehouse):
    assert rows(
        warehouse,
        """SELECT count(*) FILTER (list_price = before) FROM (SELECT *, lag(list_price) OVER (
            PARTITION BY product_id ORDER BY known_at) AS before FROM products)""",
    ) == [(0,)]
    assert rows(warehouse, "SELECT count(*) > count(DISTINCT product_id) FROM products") == [(True,)]


def test_orders_when_customer_registers_then_none_before_that_day(warehouse):
    assert rows(
        warehouse,
        "SELECT count(*) FROM orders JOIN customers USING (customer_id) WHERE order_ts < registered_on",
    ) == [(0,)]
    newcomers_without_first_order = rows(
        warehouse,
        """SELECT count(*) FROM customers c WHERE registered_on >= DATE '2024-10-29' AND NOT EXISTS (
            FROM orders o WHERE o.customer_id = c.customer_id AND o.order_ts::DATE = registered_on
            AND NOT o.is_return)""",
    )
    assert newcomers_without_first_order == [(0,)]


def test_returns_when_traced_then_the_product_was_bought_before_at_that_price(warehouse):
    assert rows(
        warehouse,
        """SELECT count(*) FROM order_lines r WHERE is_return AND NOT EXISTS (
            FROM order_lines b WHERE NOT b.is_return AND b.customer_id = r.customer_id
            AND b.product_id = r.product_id AND b.unit_price = r.unit_price AND b.quantity >= -r.quantity
            AND b.order_ts::DATE + 2 <= r.order_ts::DATE AND b.order_ts::DATE + 28 >= r.order_ts::DATE)""",
    ) == [(0,)]


def test_known_at_when_an_order_is_on_time_then_half_past_midnight_after_it_and_else_nights_later(warehouse):
    for table in ("orders", "order_lines"):
        nights = "date_diff('day', order_ts, known_at) - 1"
        assert rows(
            warehouse, f"SELECT DISTINCT known_at - known_at::DATE::TIMESTAMP = INTERVAL 30 MINUTE FROM {table}"
        ) == [(True,)]
        late = dict(rows(warehouse, f"SELECT {nights}, count(*) FROM {table} GROUP BY 1"))
        assert set(late) == {0, 1, 2, 3, 4, 5}
        assert late[0] > 0.99 * sum(late.values())
    assert rows(
        warehouse,
        """SELECT count(*) FROM orders o JOIN order_lines l USING (order_id) WHERE o.known_at <> l.known_at""",
    ) == [(0,)]


def test_known_at_when_delivered_then_half_past_midnight_after_the_event(warehouse):
    events = {
        "service_contacts": "contact_ts::DATE",
        "campaign_contacts": "contact_ts::DATE + 14",
        "customers": "registered_on",
    }
    for table, event in events.items():
        late = f"SELECT count(*) FROM {table} WHERE known_at <> {event} + 1 + INTERVAL 30 MINUTE"
        assert rows(warehouse, late) == [(0,)], table


@pytest.mark.parametrize("table", TABLES)
def test_nightly_rows_when_placed_then_known_on_their_own_night(warehouse, table):
    assert rows(
        warehouse,
        f"""SELECT count(*) FROM {table}
        WHERE (kind = 'nightly' AND known_at::DATE - 1 <> delivered_on)
           OR (kind = 'bulk' AND known_at::DATE - 1 > delivered_on)""",
    ) == [(0,)]


def test_truth_when_compared_with_deliveries_then_no_hidden_column_is_delivered(retailer, warehouse):
    hidden = {
        column
        for name in retailer.truth
        for (column,) in rows(warehouse, f"SELECT column_name FROM (DESCRIBE truth_{name})")
    } - {"customer_id", "contact_id", "product_id"}
    delivered = {
        column for table in TABLES for (column,) in rows(warehouse, f"SELECT column_name FROM (DESCRIBE {table})")
    }
    assert len(hidden) >= 10
    assert hidden & delivered == set()
    assert not any("truth" in path.as_posix() for d in retailer.deliveries for path in d.folder.iterdir())


def test_truth_when_joined_then_covers_every_customer_and_contact(warehouse):
    for table, key in (
        ("customers", "customer_id"),
        ("campaign_contacts", "contact_id"),
        ("products", "product_id"),
    ):
        missing = f"SELECT count(*) FROM {table} ANTI JOIN truth_{table} USING ({key})"
        assert rows(warehouse, missing) == [(0,)]


def test_dropout_when_a_customer_has_left_then_no_later_purchase(warehouse):
    assert rows(
        warehouse,
        """SELECT count(*) FROM orders JOIN truth_customers USING (customer_id)
        WHERE NOT is_return AND order_ts::DATE > dropped_out_on""",
    ) == [(0,)]
    assert rows(warehouse, "SELECT count(dropped_out_on) > 1000 FROM truth_customers") == [(True,)]


def test_response_when_recounted_from_orders_then_the_same(warehouse):
    assert rows(
        warehouse,
        # An order of the last nights may still be on its way.
        """SELECT count(*) FROM campaign_contacts k
        WHERE known_at < (SELECT max(known_at) FROM orders) - INTERVAL 5 DAY AND response <> EXISTS (
            FROM orders o WHERE o.customer_id = k.customer_id AND NOT o.is_return
            AND o.order_ts::DATE BETWEEN k.contact_ts::DATE + 1 AND k.contact_ts::DATE + 14)""",
    ) == [(0,)]


def test_bulk_money_when_added_up_then_exact_decimal(retailer):
    total = sum((d.tables["orders"].amount for d in retailer.deliveries), Decimal(0))
    assert total == sum((d.tables["order_lines"].amount for d in retailer.deliveries), Decimal(0))
    assert total.as_tuple().exponent == -2
    assert retailer.deliveries[-1].last_day - retailer.deliveries[0].first_day == timedelta(days=732)
