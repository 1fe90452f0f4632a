"""Each quirk of Online Retail II on a handful of lines: which rule decides, and what the clean tables then hold."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from athena_assets.nights import Night
from athena_assets.orders.rules import InvalidRules, rules_for
from athena_assets.orders.statements import Scope
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import source_named
from checks.compiler import compile_rules
from checks.contract_files import load_contract
from tests.unit.cleaning_warehouse import clean_into, create_tables

RETAIL = source_named("online_retail_ii")
HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
Row = tuple[object, ...]


class Shop:
    """A warehouse of contract tables that takes deliveries of crafted lines."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.landing = Landing.of(folder / "home")
        self.connection = duckdb.connect(config={"threads": 2})
        create_tables(self.connection)

    def deliver(self, *lines: str, night: str | None = None) -> "Shop":
        """Land and clean lines `Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer,Country`."""
        path = self.folder / f"{night or 'bulk'}.csv"
        path.write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
        last = Night.parse(night) if night else None
        delivery = self.landing.register(
            RETAIL,
            [path],
            kind="nightly" if night else "bulk",
            registered_at=datetime(2012, 1, 1),
            last_night=last,
        )
        scope = Scope.of_night(last) if last else Scope.history()
        for select in self.landing.raw_selects(self.connection, RETAIL, delivery, "order_lines"):
            target = f"raw.order_lines{scope.suffix}"
            self.connection.execute(f"INSERT INTO {target} BY NAME {select.sql}", select.parameters)
        clean_into(self.connection, RETAIL, scope)
        return self

    def rows(self, sql: str) -> list[Row]:
        return self.connection.execute(sql).fetchall()

    @property
    def quarantined(self) -> list[Row]:
        """(source_row, reason_code) of everything quarantined, history and nights."""
        return self.rows(
            "SELECT source_row, reason_code FROM orders.quarantine_history "
            "UNION ALL SELECT source_row, reason_code FROM orders.quarantine ORDER BY ALL"
        )


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def line(
    invoice: str = "536365",
    code: str = "85123A",
    description: str = "HEART",
    quantity: int | str = 6,
    ts: str = "2010-12-01 08:26:00",
    price: str = "2.55",
    customer: str = "17850",
    country: str = "France",
) -> str:
    return f"{invoice},{code},{description},{quantity},{ts},{price},{customer},{country}"


ORDINARY = [line(invoice=f"1{number:05}", customer="1") for number in range(150)]
"""Enough ordinary lines that one unparseable line stays below the share at which a file is refused."""


@pytest.mark.parametrize(
    ("odd", "code"),
    [
        (line(ts="when?"), "unparseable"),
        (line(ts="2031-01-01 10:00:00"), "event_from_future"),
        (line(ts="1900-01-01 00:00:00"), "absurd_date"),
        (line(quantity=1000000), "quantity.maximum"),
        (line(quantity=-1000000), "quantity.minimum"),
        (line(price="999999.99"), "unit_price.maximum"),
        (line(quantity=90000, price="90"), "absurd_amount"),
        (line(quantity=0), "zero_quantity"),
        (line("A563185", "B", "Adjust bad debt", 1, price="11062.06", customer=""), "bad_debt"),
        (line("A506401", "B", "Adjust bad debt", 1, price="-53594.36", customer=""), "bad_debt"),
        (line(price="-1"), "negative_price"),
        (line(code="TEST001"), "test_product"),
        (line("C537630", "AMAZONFEE", quantity=-1, price="13541.33", customer=""), "seller_fee"),
        (line(code="BANK CHARGES", quantity=1, price="15"), "seller_fee"),
        (line(code="ADJUST"), "bookkeeping_adjustment"),
        (line("C1", "S", "SAMPLES", -1, price="50", customer=""), "samples"),
        (line(description="damages", quantity=-9, price="0", customer=""), "stock_adjustment"),
        (line(description="found", price="0", customer=""), "stock_found"),
        (line("C496350", "M", "Manual", 1, price="373.57", customer=""), "cancellation_adding_goods"),
    ],
)
def test_row_that_is_no_sale_is_quarantined_with_its_reason(shop: Shop, odd: str, code: str) -> None:
    shop.deliver(*ORDINARY, odd)
    assert shop.quarantined == [(151, code)]
    reason, payload = shop.rows("SELECT reason, payload FROM orders.quarantine_history")[0]
    assert len(str(reason)) > 20
    assert odd.split(",")[1] in str(payload)


@pytest.mark.parametrize(
    ("odd", "expected"),
    [
        (line(customer=""), (None, 6, Decimal("15.3000"), False, True)),
        (line(description=""), ("C-17850", 6, Decimal("15.3000"), False, True)),
        (line(price="0"), ("C-17850", 6, Decimal(0), False, True)),
        (line("C1", quantity=-6), ("C-17850", -6, Decimal("-15.3000"), True, True)),
        (line(code="POST"), ("C-17850", 6, Decimal("15.3000"), False, False)),
        (line(code="m", description="Manual"), ("C-17850", 6, Decimal("15.3000"), False, False)),
        (line("C2", "D", quantity=-1), ("C-17850", -1, Decimal("-2.5500"), True, False)),
        (line(code="gift_0001_20"), ("C-17850", 6, Decimal("15.3000"), False, False)),
        (line(quantity=80995, price="2.08"), ("C-17850", 80995, Decimal("168469.6000"), False, True)),
    ],
)
def test_odd_line_that_counts_is_kept_as_what_it_is(shop: Shop, odd: str, expected: Row) -> None:
    shop.deliver(odd)
    assert shop.quarantined == []
    kept = shop.rows(
        "SELECT customer_id, quantity, line_amount, is_return, is_merchandise FROM orders.order_lines_history"
    )
    assert kept == [expected]


def test_stretch_of_the_export_that_stands_twice_counts_once(shop: Shop) -> None:
    first = [line(), line(), line("536366", ts="2010-12-01 09:00:00")]
    shop.deliver(*first, *first)
    assert shop.quarantined == [(4, "delivered_twice"), (5, "delivered_twice"), (6, "delivered_twice")]


def test_same_line_again_in_one_order_is_one_more_piece(shop: Shop) -> None:
    shop.deliver(line(), line(code="22041"), line(), line("536366", ts="2010-12-01 09:00:00"))
    assert shop.quarantined == []
    assert shop.rows("SELECT line_count, item_count FROM orders.orders_history ORDER BY order_id") == [
        (3, 18),
        (1, 6),
    ]


@pytest.mark.parametrize(
    ("minutes", "quantity", "codes"),
    [
        (12, 80995, ["keying_error_reversed", "keying_error_reversed"]),
        (61, 80995, []),
        (12, 9999, []),
    ],
)
def test_huge_order_taken_back_within_the_hour_is_a_typing_error(
    shop: Shop, minutes: int, quantity: int, codes: list[str]
) -> None:
    shop.deliver(
        line(quantity=quantity, ts="2011-01-18 10:00:00"),
        line("C541433", quantity=-quantity, ts=f"2011-01-18 {10 + minutes // 60}:{minutes % 60:02}:00"),
    )
    assert [code for _, code in shop.quarantined] == codes


def test_order_takes_its_first_timestamp_and_leaves_charges_out_of_its_value(shop: Shop) -> None:
    shop.deliver(
        line(ts="2010-12-01 08:29:00"),
        line(code="22041", ts="2010-12-01 08:26:00", quantity=1, price="2.10"),
        line(code="POST", quantity=1, price="18.00", ts="2010-12-01 08:29:00"),
        line("C9", quantity=-2, ts="2010-12-01 12:00:00"),
        line("7", "POST", quantity=1, price="5.00", ts="2010-12-01 13:00:00"),
    )
    assert shop.rows(
        "SELECT order_id, order_ts, total_order_amount, item_count, line_count, is_return "
        "FROM orders.orders_history ORDER BY order_ts"
    ) == [
        ("536365", datetime(2010, 12, 1, 8, 26), Decimal("17.4000"), 7, 3, False),
        ("C9", datetime(2010, 12, 1, 12), Decimal("-5.1000"), 2, 1, True),
        ("7", datetime(2010, 12, 1, 13), Decimal(0), 0, 1, False),
    ]


def test_customer_in_two_countries_has_a_version_from_each_night_that_changed_it(shop: Shop) -> None:
    shop.deliver(
        line("1", ts="2010-12-01 09:00:00", country="France"),
        line("2", ts="2010-12-02 09:00:00", country="France"),
        line("3", ts="2010-12-03 09:00:00", country="France"),
        line("4", ts="2010-12-03 10:00:00", country="Spain"),
    ).deliver(line("5", ts="2010-12-04 09:00:00", country="Spain"), night="2010-12-04")
    shop.deliver(
        line("6", ts="2010-12-05 09:00:00", country="Malta"),
        line("7", ts="2010-12-05 09:00:00", customer="2"),
        night="2010-12-05",
    )
    assert shop.rows("SELECT night, country, registered_on FROM orders.customers_history ORDER BY night") == [
        (date(2010, 12, 1), "France", date(2010, 12, 1)),
        (date(2010, 12, 3), "Spain", date(2010, 12, 1)),
    ]
    assert shop.rows("SELECT night, customer_id, country, registered_on FROM orders.customers") == [
        (date(2010, 12, 5), "C-17850", "Malta", date(2010, 12, 1)),
        (date(2010, 12, 5), "C-2", "France", date(2010, 12, 5)),
    ]


def test_product_description_changes_only_when_a_kept_line_says_another(shop: Shop) -> None:
    shop.deliver(
        line("1", ts="2010-12-01 09:00:00", description=""),
        line("2", ts="2010-12-02 09:00:00", description="HEART"),
        line("3", ts="2010-12-03 09:00:00", description=""),
        line("4", ts="2010-12-04 09:00:00", description="damages", quantity=-1, price="0", customer=""),
        line("5", ts="2010-12-05 09:00:00", description="RED HEART"),
    )
    assert shop.rows("SELECT night, description FROM orders.products_history ORDER BY night") == [
        (date(2010, 12, 1), None),
        (date(2010, 12, 2), "HEART"),
        (date(2010, 12, 5), "RED HEART"),
    ]


def test_night_does_not_count_again_what_earlier_nights_brought(shop: Shop) -> None:
    shop.deliver(line(), line())
    shop.deliver(line("2", ts="2010-12-02 09:00:00"), night="2010-12-02")
    shop.deliver(
        line(),
        line(),
        line(),
        line("2", ts="2010-12-02 09:00:00"),
        line("3", ts="2010-12-02 09:00:00"),
        night="2010-12-03",
    )
    # A third copy of a line that an earlier night kept twice would be an addition to an order already seen.
    assert shop.quarantined == [
        (1, "delivered_again"),
        (2, "delivered_again"),
        (3, "order_already_known"),
        (4, "delivered_again"),
    ]
    late = shop.rows("SELECT order_id, order_ts, known_at FROM orders.order_lines WHERE night = '2010-12-03'")
    assert late == [("3", datetime(2010, 12, 2, 9), datetime(2010, 12, 4))]


def test_rules_when_a_raw_contract_quarantines_then_its_rule_ids_are_the_codes() -> None:
    codes = [rule.code for rule in rules_for("simulator", corrects_orders=True).of("order_lines")]
    assert [code for code in codes if "." in code] == ["quantity.minimum", "quantity.maximum", "unit_price.maximum"]
    assert not [rule.id for rule in compile_rules(load_contract("raw.order_lines")) if rule.id in codes]


def test_every_rule_says_why_and_every_list_decides_about_every_row() -> None:
    for source, corrects in (("online_retail_ii", False), ("a_mapped_one", False), ("simulator", True)):
        rules = rules_for(source, corrects_orders=corrects)
        for table, listed in rules.tables.items():
            assert listed[-1].when == "true", (source, table)
            assert all(len(rule.reason) > 10 for rule in listed)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("tables: {order_lines: [{use: no_such_rule}]}", "takes over no common rule"),
        ("tables: {order_lines: [{use: sale}, {use: sale}]}", "stands twice"),
        ("tables: {order_lines: [{use: unparseable}]}", "not every row is decided"),
        ("tables: {order_lines: [{use: sale}]}", "what the contract quarantines is left out"),
        ("tables: {order_lines: [{code: x, disposition: drop, when: 'true', reason: r}]}", "x is no rule"),
        ("nothing: here", "has no tables"),
    ],
)
def test_rules_that_cannot_be_meant_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, fault: str
) -> None:
    import athena_assets.orders.rules as rules

    common: Callable[[], str] = (rules.RULES / "common.yaml").read_text
    (tmp_path / "common.yaml").write_text(common(), encoding="utf-8")
    (tmp_path / "broken.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setattr(rules, "RULES", tmp_path)
    with pytest.raises(InvalidRules, match=fault):
        rules_for.__wrapped__("broken")
