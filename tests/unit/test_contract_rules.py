"""Each rule of the orders' contracts against a night that breaks it, and all of them against one that does not.

The night is made in SQL: forty days of a small shop as history, and tonight with about as many orders.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import duckdb
import pytest

from athena_assets.orders.rules import rules_for
from checks.compiler import compile_rules
from checks.contract_files import load_contract
from checks.evaluation import check_table, offending_rows
from checks.verdicts import Evaluation, ensure_gate, save, stamp

TONIGHT = "2026-02-10"
CONTACTS = ("service_contacts", "campaign_contacts")
TABLES = ("order_lines", "orders", "customers", "products", "accounting", "quarantine", *CONTACTS)
SHOP = f"""
    INSERT INTO orders.products_history (night, product_id, known_at, category, list_price)
    SELECT DATE '2025-12-31', 'P-' || range, TIMESTAMP '2026-01-01', 'toys', 2 + range % 37 FROM range(200);
    INSERT INTO orders.customers_history (night, customer_id, known_at, registered_on, country)
    SELECT DATE '2025-12-31', 'C-' || range, TIMESTAMP '2026-01-01', DATE '2025-12-31', ['UK', 'France'][1 + range % 2]
    FROM range(2000);
    CREATE TABLE made AS
    SELECT DATE '{TONIGHT}' - CAST(day AS INTEGER) AS night, 'O-' || day || '-' || number AS order_id,
        'C-' || (day * 61 + number * 7) % 2000 AS customer_id,
        night + INTERVAL (8 + number % 12) HOUR AS order_ts,
        ['web', 'shop'][1 + number % 2] AS channel,
        ['UK', 'France'][1 + ((day * 61 + number * 7) % 2000) % 2] AS country,
        (number % 20 = 0) AS is_return, number, day
    FROM range(0, 41) AS d(day), range(0, 80) AS n(number)
    WHERE number < 55 + day % 7;
    CREATE TABLE lines AS
    SELECT made.*, line, 'P-' || (day + number * 3 + line * 11) % 200 AS product_id,
        CASE WHEN is_return THEN -1 ELSE 1 + line END AS quantity,
        2 + ((day + number * 3 + line * 11) % 200) % 37 AS price
    FROM made, range(3) AS l(line);
"""

CAMPAIGN = "'summer' AS campaign_id, 'holdout' AS arm, false AS response"


def fill(connection: duckdb.DuckDBPyConnection, suffix: str, days: str) -> None:
    connection.execute(f"""
        INSERT INTO orders.order_lines{suffix} BY NAME
        SELECT night, 'D' AS delivery_id, row_number() OVER (ORDER BY night, number, line) AS source_row,
            night + INTERVAL 1 DAY AS known_at, order_id, customer_id, order_ts, product_id, quantity,
            CAST(price AS DECIMAL(18,4)) AS unit_price, CAST(quantity * price AS DECIMAL(18,4)) AS line_amount,
            is_return, true AS is_merchandise, channel, country, false AS is_correction
        FROM lines WHERE {days};
        INSERT INTO orders.orders{suffix} BY NAME
        SELECT night, order_id, any_value(customer_id) AS customer_id, min(order_ts) AS order_ts,
            night + INTERVAL 1 DAY AS known_at, CAST(sum(quantity * price) AS DECIMAL(18,4)) AS total_order_amount,
            sum(abs(quantity)) AS item_count, count(*) AS line_count, bool_and(is_return) AS is_return,
            any_value(channel) AS channel, any_value(country) AS country, false AS is_correction
        FROM lines WHERE {days} GROUP BY night, order_id;
        INSERT INTO orders.accounting{suffix} BY NAME
        SELECT night, 'D' AS delivery_id, 'order_lines' AS table_name, count(*) AS rows_in, count(*) AS rows_kept,
            0 AS rows_quarantined, 0 AS rows_repeated, 0 AS amount_in, 0 AS amount_kept, 0 AS amount_quarantined
        FROM lines WHERE {days} GROUP BY night;
    """)
    contacts = "SELECT night, 'K-' || night || '-' || number AS contact_id, customer_id, night + INTERVAL 9 HOUR AS"
    for table, further in zip(CONTACTS, ("'quality' AS topic, true AS is_resolved", CAMPAIGN), strict=True):
        connection.execute(
            f"INSERT INTO orders.{table}{suffix} BY NAME {contacts} contact_ts, night + INTERVAL 1 DAY AS known_at,"
            f" {further} FROM made WHERE {days} AND number % 5 = 0"
        )


@pytest.fixture(scope="module")
def template() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA orders")
        for table in TABLES:
            contract = load_contract(f"orders.{table}")
            connection.execute(contract.ddl())
            connection.execute(contract.twin().ddl())
            connection.execute(
                f"CREATE VIEW orders.all_{table} AS FROM {contract.twin().address} UNION ALL FROM {contract.address}"
            )
        connection.execute(SHOP)
        fill(connection, "_history", "day > 0")
        fill(connection, "", "day = 0")
        yield connection


@pytest.fixture
def shop(template: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The shop, for one test to spoil."""
    template.execute("BEGIN")
    yield template
    template.execute("ROLLBACK")


def failed(connection: duckdb.DuckDBPyConnection, table: str, *, is_open: bool = True) -> dict[str, str]:
    """Failed rules of tonight and their severity."""
    result = check_table(connection, load_contract(f"orders.{table}"), partition=TONIGHT, is_open=is_open)
    return {each.rule.id: each.rule.severity for each in result.results if not each.passed}


@pytest.mark.parametrize("table", TABLES)
def test_rules_when_the_night_is_an_ordinary_one_then_none_fails(shop: duckdb.DuckDBPyConnection, table: str) -> None:
    assert failed(shop, table) == {}


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM orders.orders WHERE hash(order_id) % 3 = 0",
        "INSERT INTO orders.orders SELECT * REPLACE (order_id || 'b' AS order_id) FROM orders.orders"
        " WHERE hash(order_id) % 3 <> 0",
    ],
    ids=["a holiday", "a season"],
)
def test_rules_when_a_third_of_the_orders_is_missing_or_more_come_then_none_fails(
    shop: duckdb.DuckDBPyConnection, statement: str
) -> None:
    shop.execute(statement)
    assert failed(shop, "orders") == {}


def again(table: str, changes: str, share: str = "true") -> str:
    """SQL by which known rows of a register come again tonight, changed."""
    return (
        f"INSERT INTO orders.{table} SELECT * REPLACE (DATE '{TONIGHT}' AS night, TIMESTAMP '2026-02-11' AS known_at,"
        f" {changes}) FROM orders.{table}_history WHERE {share}"
    )


ONE_IN_ELEVEN = "WHERE hash(order_id) % 11 = 0"
FAULTS = [
    ("orders", "orders.level", "DELETE FROM orders.orders WHERE hash(order_id) % 5 <> 0"),
    ("orders", "orders.level", "INSERT INTO orders.orders SELECT o.* REPLACE (order_id || range AS order_id) FROM"
     " orders.orders AS o, range(5)"),
    ("orders", "hour.mean", "UPDATE orders.orders SET order_ts = order_ts + INTERVAL 5 HOUR"),
    ("orders", "hours.distinct", "UPDATE orders.orders SET order_ts = CAST(order_ts AS DATE) + INTERVAL 14 HOUR"),
    ("orders", "customer.top_share", "UPDATE orders.orders SET customer_id = 'C-1' WHERE hash(order_id) % 3 = 0"),
    ("orders", "customer.new_top", "UPDATE orders.orders SET customer_id = 'C--999' WHERE hash(order_id) % 5 = 0;"
     f"INSERT INTO orders.customers (night, customer_id) VALUES ('{TONIGHT}', 'C--999')"),
    ("orders", "customers.new_share", "UPDATE orders.orders SET customer_id = customer_id || '.0';"
     "INSERT INTO orders.customers (night, customer_id) SELECT DISTINCT night, customer_id FROM orders.orders"),
    ("orders", "customer_id.references", "UPDATE orders.orders SET customer_id = 'C-x' || customer_id"),
    ("orders", "channels.distinct", "UPDATE orders.orders SET channel = channel || order_id"),
    ("orders", "countries.distinct", "UPDATE orders.orders SET country = country || order_id"),
    ("orders", "customer_of_lines", "UPDATE orders.orders SET customer_id = 'C-9' WHERE order_id = 'O-0-5'"),
    ("orders", "customer_id.null_limit", "UPDATE orders.orders SET customer_id = NULL WHERE hash(order_id) % 50 <> 0"),
    ("orders", "channels.new_share", "UPDATE orders.orders SET channel = 'kiosk' WHERE channel = 'web'"),
    ("orders", "event.old_share", "UPDATE orders.orders SET order_ts = order_ts - INTERVAL 365 DAY"),
    ("orders", "event.old_share", f"UPDATE orders.orders SET order_ts = order_ts - INTERVAL 8 DAY {ONE_IN_ELEVEN}"),
    ("orders", "event.late_share", "UPDATE orders.orders SET order_ts = order_ts - INTERVAL 1 DAY"),
    ("order_lines", "event.old_share", "UPDATE orders.order_lines SET order_ts = order_ts - INTERVAL 365 DAY"),
    ("order_lines", "event.late_share", "UPDATE orders.order_lines SET order_ts = order_ts - INTERVAL 1 DAY"),
    ("customers", "registered_on.moved", again("customers", f"DATE '{TONIGHT}' AS registered_on",
     "hash(customer_id) % 5 = 0")),
    ("customers", "country.moved", again("customers", "'UK' AS country")),
    ("products", "list_price.moved", again("products", "0.01 AS list_price")),
    ("products", "list_price.moved", again("products", "list_price * 100 AS list_price", "hash(product_id) % 5 = 0")),
    ("order_lines", "price.level", "UPDATE orders.order_lines SET unit_price = unit_price * 100"),
    ("order_lines", "price.level", "UPDATE orders.order_lines SET unit_price = unit_price * 1.17"),
    ("order_lines", "price.top_share", "UPDATE orders.order_lines SET unit_price = 9.99"),
    ("order_lines", "product.top_share", "UPDATE orders.order_lines SET product_id = 'P-1'"),
    ("order_lines", "product_id.references", "UPDATE orders.order_lines SET product_id = 'P-x' WHERE source_row < 9"),
    ("order_lines", "products.new_share", "UPDATE orders.order_lines SET product_id = 'N' || product_id;"
     "INSERT INTO orders.products (night, product_id) SELECT DISTINCT night, product_id FROM orders.order_lines"),
    ("order_lines", "countries.new_share", "UPDATE orders.order_lines SET country = 'UNITED KINGDOM'"),
    ("order_lines", "quantity.level", "UPDATE orders.order_lines SET quantity = quantity * 6"),
    ("order_lines", "returns.share", "UPDATE orders.order_lines SET quantity = -abs(quantity), is_return = true"
     " WHERE hash(order_id) % 2 = 0"),
    ("order_lines", "repeated.share", "INSERT INTO orders.order_lines"
     " SELECT * REPLACE (source_row + 9000 AS source_row) FROM orders.order_lines"),
    ("order_lines", "customer_id.null_share", f"UPDATE orders.order_lines SET customer_id = NULL {ONE_IN_ELEVEN}"),
    ("order_lines", "country.null_share", f"UPDATE orders.order_lines SET country = NULL {ONE_IN_ELEVEN}"),
    ("order_lines", "channel.null_share", f"UPDATE orders.order_lines SET channel = NULL {ONE_IN_ELEVEN}"),
    ("accounting", "quarantined.share", "UPDATE orders.accounting SET rows_quarantined = rows_in // 8"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "rule", "statement"), FAULTS)
def test_rule_when_the_night_breaks_it_then_it_blocks(
    shop: duckdb.DuckDBPyConnection, table: str, rule: str, statement: str
) -> None:
    shop.execute(statement)
    assert failed(shop, table).get(rule) == "ERROR"


WARNINGS = [
    ("orders", "event.late_share_alert", "UPDATE orders.orders SET order_ts = order_ts - INTERVAL 2 DAY"
     " WHERE hash(order_id) % 3 = 0"),
    ("orders", "order.largest", "UPDATE orders.orders SET total_order_amount = 999990 WHERE order_id = 'O-0-5'"),
    ("orders", "order.largest", "UPDATE orders.orders SET total_order_amount = -999990 WHERE order_id = 'O-0-20'"),
    ("orders", "money.level", "UPDATE orders.orders SET total_order_amount = 8 * total_order_amount"),
    ("customers", "registered_on.moved_alert", again("customers", "DATE '2020-01-01' AS registered_on",
     "hash(customer_id) % 300 = 0")),
    ("customers", "country.moved_alert", again("customers", "'Spain' AS country", "hash(customer_id) % 20 = 0")),
    ("products", "list_price.moved_alert", again("products", "0.9 * list_price AS list_price")),
    ("products", "category.moved_alert", again("products", "'unknown' AS category")),
    *((table, "contacts.level", f"DELETE FROM orders.{table}") for table in CONTACTS),
    ("service_contacts", "contacts.storm", "INSERT INTO orders.service_contacts SELECT c.* REPLACE"
     " (contact_id || '-' || range AS contact_id) FROM orders.service_contacts AS c, range(20)"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "rule", "statement"), WARNINGS)
def test_rule_when_a_night_is_unlike_its_history_and_may_be_true_then_it_is_told_and_nothing_blocks(
    shop: duckdb.DuckDBPyConnection, table: str, rule: str, statement: str
) -> None:
    shop.execute(statement)
    found = failed(shop, table)
    assert found.get(rule) == "WARN"
    assert set(found.values()) == {"WARN"}


HARMLESS = [
    ("orders", f"UPDATE orders.orders SET order_ts = order_ts - INTERVAL 3 DAY {ONE_IN_ELEVEN}"),
    ("orders", "UPDATE orders.orders SET total_order_amount = 10 * total_order_amount WHERE order_id = 'O-0-5'"),
    ("orders", f"UPDATE orders.orders SET channel = 'app' {ONE_IN_ELEVEN}"),
    ("customers", again("customers", "country AS country")),
    ("customers", again("customers", "'Spain' AS country", "hash(customer_id) % 200 = 0")),
    ("customers", "INSERT INTO orders.customers SELECT * REPLACE (customer_id || 'n' AS customer_id,"
     f" DATE '{TONIGHT}' AS night, DATE '{TONIGHT}' AS registered_on) FROM orders.customers_history LIMIT 500"),
    ("products", again("products", "list_price / 2 AS list_price", "hash(product_id) % 40 = 0")),
    ("service_contacts", "DELETE FROM orders.service_contacts WHERE hash(contact_id) % 3 > 0"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "statement"), HARMLESS)
def test_rules_when_a_night_brings_what_nights_bring_then_none_fails(
    shop: duckdb.DuckDBPyConnection, table: str, statement: str
) -> None:
    shop.execute(statement)
    assert failed(shop, table) == {}


def test_rules_when_the_shop_is_closed_and_only_late_orders_come_then_none_fails(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    shop.execute("UPDATE orders.orders SET order_ts = order_ts - INTERVAL 2 DAY")
    shop.execute("DELETE FROM orders.service_contacts")
    assert failed(shop, "orders", is_open=False) == {}
    assert failed(shop, "service_contacts", is_open=False) == {}


@pytest.mark.parametrize("known_before", [1, 7])
def test_customers_when_a_country_was_corrected_before_then_only_the_latest_version_counts(
    shop: duckdb.DuckDBPyConnection, known_before: int
) -> None:
    shop.execute(again("customers", "'Spain' AS country"))
    shop.execute(
        f"UPDATE orders.customers SET night = night - {known_before}, known_at = known_at - INTERVAL {known_before} DAY"
    )
    shop.execute(again("customers", "'Spain' AS country"))
    assert failed(shop, "customers") == {}


def test_contacts_when_a_few_a_night_stay_away_for_a_week_then_it_is_told(shop: duckdb.DuckDBPyConnection) -> None:
    contract = load_contract("orders.service_contacts")
    shop.execute("DELETE FROM orders.service_contacts; DELETE FROM orders.service_contacts_history")
    shop.execute(
        "INSERT INTO orders.service_contacts_history BY NAME SELECT night, order_id AS contact_id"
        " FROM made WHERE number % 17 = 0"
    )
    ensure_gate(shop)
    first = date.fromisoformat(TONIGHT) - timedelta(days=14)
    for night in (first + timedelta(days=day) for day in range(15)):
        shop.execute(
            "INSERT INTO orders.service_contacts BY NAME SELECT night, contact_id FROM orders.service_contacts_history"
            " WHERE night = $night AND night < $first + 7",
            {"night": night, "first": first},
        )
        shop.execute("DELETE FROM orders.service_contacts_history WHERE night = $night", {"night": night})
        result = check_table(shop, contract, partition=night.isoformat())
        told = [each.rule.id for each in result.results if each.rule.severity == "WARN" and not each.passed]
        assert told == (["contacts.week_level"] if night == first + timedelta(days=13) else []), night
        stamp(shop, contract, night.isoformat(), "run")
        save(
            shop,
            asset=contract.address,
            partition=night.isoformat(),
            contract_version=contract.version,
            verdicts=(),
            evaluations=[Evaluation.of(each) for each in result.results],
            run_id="run",
            at=datetime(2026, 2, 11),
        )


@pytest.mark.parametrize(("one_in", "severities"), [(60, set()), (27, {"WARN"}), (12, {"ERROR", "WARN"})])
def test_nulls_when_there_were_none_before_then_two_percent_are_told_and_five_block(
    shop: duckdb.DuckDBPyConnection, one_in: int, severities: set[str]
) -> None:
    shop.execute(f"UPDATE orders.order_lines SET country = NULL WHERE source_row % {one_in} = 0")
    assert set(failed(shop, "order_lines").values()) == severities


def test_account_when_rows_merely_came_twice_then_nothing_blocks(shop: duckdb.DuckDBPyConnection) -> None:
    shop.execute("UPDATE orders.accounting SET rows_quarantined = rows_in // 2, rows_kept = rows_in - rows_in // 2")
    shop.execute("UPDATE orders.accounting SET rows_repeated = rows_quarantined")
    assert failed(shop, "accounting") == {}


@pytest.mark.parametrize(
    ("reason", "rule"),
    [
        ("unparseable", "reason.unreadable"),
        ("event_from_future", "reason.time"),
        ("quantity.maximum", "reason.value"),
        ("negative_price", "reason.value"),
        ("delivered_twice", "reason.copies"),
        ("total_differs_from_header", "reason.relations"),
        ("stock_adjustment", None),
        ("bad_debt", None),
    ],
)
def test_quarantine_when_a_reason_is_a_fault_of_the_delivery_then_it_is_told_and_nothing_blocks(
    shop: duckdb.DuckDBPyConnection, reason: str, rule: str | None
) -> None:
    shop.execute(
        f"INSERT INTO orders.quarantine VALUES ('{TONIGHT}', 'D', 'order_lines', 1, '{reason}', 'why', 0, '{{}}')"
    )
    assert failed(shop, "quarantine") == ({} if rule is None else {rule: "WARN"})


def test_quarantine_when_a_rule_holds_for_every_source_then_its_reason_is_told(shop: duckdb.DuckDBPyConnection) -> None:
    rules = rules_for("simulator", corrects_orders=True)
    codes = {rule.code for table in rules.tables for rule in rules.of(table) if rule.disposition == "quarantine"}
    for code in sorted(codes):
        shop.execute("DELETE FROM orders.quarantine")
        row = [TONIGHT, "D", "order_lines", 1, code, "why", 0, "{}"]
        shop.execute("INSERT INTO orders.quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        assert list(failed(shop, "quarantine").values()) == ["WARN"], code


def test_offending_rows_when_a_rule_names_alternatives_then_those_of_other_nights_are_left_out(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    for night in ("2026-02-09", TONIGHT):
        for number, reason in enumerate(("negative_price", "quantity.maximum")):
            row = [night, f"D-{night}", "order_lines", number, reason, "why", 0, "{}"]
            shop.execute("INSERT INTO orders.quarantine VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
    contract = load_contract("orders.quarantine")
    (rule,) = [each for each in compile_rules(contract) if each.id == "reason.value"]
    names, rows = offending_rows(shop, contract, rule, partition=TONIGHT)
    assert {str(row[names.index("delivery_id")]) for row in rows} == {f"D-{TONIGHT}"}
    assert len(rows) == 2


def test_offending_rows_when_a_key_comes_twice_then_it_is_looked_for_in_the_night_alone(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    shop.execute(f"INSERT INTO orders.orders SELECT * FROM orders.orders WHERE night = '{TONIGHT}' LIMIT 1")
    shop.execute("INSERT INTO orders.orders SELECT * REPLACE (DATE '2026-02-09' AS night) FROM orders.orders LIMIT 9")
    contract = load_contract("orders.orders")
    (rule,) = [each for each in compile_rules(contract) if each.id == "key.unique"]
    names, rows = offending_rows(shop, contract, rule, partition=TONIGHT)
    assert [str(row[names.index("night")]) for row in rows] == [TONIGHT, TONIGHT]
