"""Every feature against the naive oracle (`feature_oracle.py`), on generated retailers and on the real one."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.features.base_table import load_bases
from athena_assets.features.compiler import CONTEXT
from athena_assets.features.definition import load_definitions
from athena_assets.features.evaluate import evaluate_active, evaluate_customers
from athena_assets.features.feature_set import load_feature_set
from tests.unit.feature_histories import INSTANT, MIDNIGHTS, PATIENT, drawn, retailers, window_edges
from tests.unit.feature_oracle import ORACLES, active, as_seen, differences, expected
from tests.unit.feature_rows import Order, Retailer
from tests.unit.feature_warehouse import Situation, connect, feature_set, fill

AS_OF = datetime(2012, 3, 1)
CUTOFF = datetime(2012, 3, 1, 2)


@st.composite
def situations(draw: st.DrawFn, corrects: st.SearchStrategy[bool]) -> Situation:
    """A retailer at an as_of, known at the usual cutoff, at once, or days later."""
    as_of = draw(MIDNIGHTS)
    cutoff = as_of + draw(st.sampled_from([timedelta(hours=2), timedelta(0), timedelta(days=3)]))
    return Situation(draw(retailers(as_of, cutoff, corrects=draw(corrects))), as_of, cutoff)


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse that every example fills anew."""
    with connect() as connection:
        yield connection


def test_oracles_when_compared_with_the_registry_then_every_feature_has_one() -> None:
    assert set(ORACLES) == {definition.name for definition in load_definitions()}


@settings(max_examples=120, **PATIENT)
@given(situation=situations(st.booleans()))
def test_features_when_a_retailer_is_generated_then_every_value_is_the_naive_oracles(
    warehouse: duckdb.DuckDBPyConnection, situation: Situation
) -> None:
    fill(warehouse, situation.retailer)
    features = feature_set(corrects=situation.retailer.corrects)
    rows = situation.evaluate(warehouse, features)
    wanted = situation.expected()
    assert list(rows) == list(wanted)
    assert [differences(row, wanted[name]) for name, row in rows.items()] == [[]] * len(wanted)


@settings(max_examples=40, **PATIENT)
@given(situation=situations(st.just(False)))
def test_values_when_a_retailer_is_generated_then_each_keeps_its_declared_bounds_and_null_policy(
    warehouse: duckdb.DuckDBPyConnection, situation: Situation
) -> None:
    fill(warehouse, situation.retailer)
    features = feature_set()
    for row in situation.evaluate(warehouse, features).values():
        for feature in features.features:
            value, (low, high) = row[feature.name], feature.bounds
            assert feature.nullable if value is None else (low is None or value >= low), feature.name
            assert value is None or high is None or value <= high, feature.name


@settings(max_examples=40, **PATIENT)
@given(situation=situations(st.just(False)))
def test_population_when_a_retailer_is_generated_then_it_is_who_bought_within_365_days(
    warehouse: duckdb.DuckDBPyConnection, situation: Situation
) -> None:
    fill(warehouse, situation.retailer)
    one = feature_set().select(["orders_total"])
    table = evaluate_active(warehouse, one, as_of=situation.as_of, cutoff=situation.cutoff)
    assert table.column("customer_id").to_pylist() == active(situation.seen())


def near(order: Order, ticks: int) -> bool:
    """Whether the order stands that many microseconds after the edge of a window."""
    return any(order.at == AS_OF - timedelta(days=edge) + ticks * INSTANT for edge in window_edges())


def purchases_at_one_instant(retailer: Retailer) -> list[tuple[Order, Order]]:
    """Pairs of purchases by one customer at the same instant."""
    bought = [order for order in retailer.orders if not order.is_return and order.customer_id is not None]
    pairs = pairwise(sorted(bought, key=lambda order: (order.customer_id, order.at)))
    return [(one, two) for one, two in pairs if (one.customer_id, one.at) == (two.customer_id, two.at)]


def customers_with(retailer: Retailer, fulfils: Callable[[list[Order]], bool]) -> bool:
    """Whether the orders of any customer fulfil a condition."""
    named = {order.customer_id for order in retailer.orders} - {None}
    return any(fulfils([order for order in retailer.orders if order.customer_id == name]) for name in named)


REACHED: dict[str, Callable[[Retailer], bool]] = {
    "a retailer without a row": lambda r: not (r.orders or r.service_contacts or r.campaign_contacts or r.customers),
    "one order": lambda r: customers_with(r, lambda orders: len(orders) == 1 and not orders[0].is_return),
    "returns only": lambda r: customers_with(r, lambda orders: all(order.is_return for order in orders)),
    "contacts without an order": lambda r: bool(
        {contact.customer_id for contact in r.service_contacts} - {order.customer_id for order in r.orders}
    ),
    "an order at a window's edge": lambda r: any(near(order, 0) for order in r.orders),
    "an order just before a window": lambda r: any(near(order, -1) for order in r.orders),
    "an order in the first second of a window": lambda r: any(near(order, 400_000) for order in r.orders),
    "two purchases at one instant": lambda r: bool(purchases_at_one_instant(r)),
    "of which one is larger": lambda r: any(
        one.total_order_amount != two.total_order_amount for one, two in purchases_at_one_instant(r)
    ),
    "two purchases in one second": lambda r: customers_with(
        r, lambda orders: any(timedelta(0) < two.at - one.at < timedelta(seconds=1) for one in orders for two in orders)
    ),
    "an order at as_of": lambda r: any(order.at == AS_OF and order.known_at <= CUTOFF for order in r.orders),
    "an order known at the cutoff": lambda r: any(order.known_at == CUTOFF for order in r.orders),
    "an order known an instant too late": lambda r: any(order.known_at == CUTOFF + INSTANT for order in r.orders),
    "an order delivered a fortnight late": lambda r: any(
        order.known_at - order.at == timedelta(days=14) for order in r.orders
    ),
    "an anonymous sale": lambda r: any(order.customer_id is None for order in r.orders),
    "an anonymous contact": lambda r: any(contact.customer_id is None for contact in r.service_contacts),
    "a held-out response": lambda r: any(
        contact.arm == "holdout" and contact.response for contact in r.campaign_contacts
    ),
    "a register that changed its mind": lambda r: (
        len({v.registered_on for v in r.customers if v.customer_id == "C-0"}) > 1
    ),
    "a corrected order": lambda r: max(Counter(order.order_id for order in r.orders).values(), default=0) > 1,
    "a correction that comes too late": lambda r: any(
        one.order_id == two.order_id and one.known_at <= CUTOFF < two.known_at for one in r.orders for two in r.orders
    ),
}


@pytest.fixture(scope="module")
def examples() -> list[Retailer]:
    """What the strategies give before chance sets in: the same on every run."""
    return [
        retailer for corrects in (False, True) for retailer in drawn(retailers(AS_OF, CUTOFF, corrects=corrects), 60)
    ]


@pytest.mark.parametrize("case", REACHED)
def test_retailers_when_sixty_are_drawn_then_every_case_is_among_them(case: str, examples: list[Retailer]) -> None:
    assert any(REACHED[case](retailer) for retailer in examples)


@settings(max_examples=60, **PATIENT)
@given(retailer=retailers(AS_OF, CUTOFF, corrects=True))
def test_rows_when_corrections_are_flagged_then_they_are_the_last_versions_of_a_window(retailer: Retailer) -> None:
    """Oracle: of the rows of a key that were known at the cutoff, sorted by when, the last."""
    with connect() as connection:
        fill(connection, retailer)
        for name in ("orders", CONTEXT):
            flagged = load_bases()[name]
            sorted_out = flagged.model_copy(update={"correction_flag": None})
            assert "QUALIFY" in sorted_out.text(corrected=True)
            assert "QUALIFY" not in flagged.text(corrected=True)
            texts = [base.text(corrected=True) for base in (flagged, sorted_out)]
            times = {"as_of": AS_OF, "cutoff": CUTOFF}
            found, wanted = (sorted(map(repr, connection.execute(text, times).fetchall())) for text in texts)
            assert found == wanted


@pytest.fixture(scope="module")
def online_retail(shared_data: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Orders and cancellations of the real retailer's identified customers."""
    source = shared_data / "retail" / "online_retail_II_to_2011-08-31.parquet"
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("CREATE SCHEMA orders")
        connection.execute(
            """
            CREATE TABLE orders.all_orders AS
            SELECT Invoice AS order_id, 'C-' || CAST(CAST("Customer ID" AS BIGINT) AS VARCHAR) AS customer_id,
                CAST(min(InvoiceDate) AS TIMESTAMP) AS order_ts,
                date_trunc('day', min(InvoiceDate)) + INTERVAL 1 DAY AS known_at,
                CAST(sum(CAST(Quantity AS BIGINT) * CAST(Price AS DECIMAL(14, 4))) AS DECIMAL(18, 4))
                    AS total_order_amount,
                CAST(sum(abs(Quantity)) AS BIGINT) AS item_count, Invoice LIKE 'C%' AS is_return, 'web' AS channel
            FROM read_parquet($source) WHERE "Customer ID" IS NOT NULL GROUP BY 1, 2
            """,
            {"source": str(source)},
        )
        yield connection


@pytest.mark.parametrize("as_of", [datetime(2011, 1, 15), datetime(2011, 6, 3)])
def test_features_when_customers_are_real_then_three_hundred_are_the_naive_oracles(
    online_retail: duckdb.DuckDBPyConnection, as_of: datetime
) -> None:
    cutoff = as_of + timedelta(hours=2)
    rows = online_retail.sql("SELECT * FROM orders.all_orders").to_arrow_table().to_pylist()
    retailer = Retailer(orders=[Order(**row) for row in rows])
    seen = as_seen(retailer, {order.customer_id for order in retailer.orders}, as_of, cutoff)
    names = active(seen)[::10][:300]
    features = load_feature_set(["orders"], business_country=None)
    found = evaluate_customers(online_retail, features, names, as_of=as_of, cutoff=cutoff).to_pylist()
    assert [row["customer_id"] for row in found] == names
    assert len(names) == 300
    for row in found:
        wanted = expected(seen[row["customer_id"]])
        assert differences(row, {name: wanted[name] for name in features.columns}) == []
