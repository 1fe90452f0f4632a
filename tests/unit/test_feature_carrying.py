"""What a night carries on from an earlier one gives the features of a full scan, to the bit."""

import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.features.carried_column import DIVIDED_EVERY_DAYS
from athena_assets.features.carrying import LONGEST_STEP_DAYS, bring_up_to_date
from athena_assets.features.evaluate import evaluate_active
from athena_assets.features.feature_set import FeatureSet
from athena_assets.nights import Night
from athena_assets.sql import parameters_used
from checks.verdicts import Writes
from tests.unit.feature_histories import MIDNIGHTS, PATIENT, retailers
from tests.unit.feature_mutants import with_feature
from tests.unit.feature_rows import CustomerVersion, Order, Retailer
from tests.unit.feature_warehouse import connect, feature_set, fill

NOTHING_WRITTEN = Writes(0, {})
CARRIED = {"campaign_contacts", "customers", "orders", "service_contacts"}


@dataclass(frozen=True)
class Season:
    """A retailer and some of its nights, ascending."""

    retailer: Retailer
    nights: tuple[Night, ...]


@st.composite
def seasons(draw: st.DrawFn, corrects: st.SearchStrategy[bool]) -> Season:
    """Nights with gaps between them; what happens, happens around the edges of the windows of one of them."""
    first = Night.of_as_of(draw(MIDNIGHTS))
    steps = draw(st.lists(st.sampled_from([1, 1, 1, 2, 3, LONGEST_STEP_DAYS]), min_size=1, max_size=4))
    nights = [first]
    for step in steps:
        nights.append(nights[-1].plus(step))
    around = draw(st.sampled_from(nights))
    return Season(draw(retailers(around.as_of, around.cutoff, corrects=draw(corrects))), tuple(nights))


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse in which nothing has been carried yet."""
    with connect() as connection:
        yield connection


def night_by_night(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet, nights: tuple[Night, ...], writes: Writes
) -> list[dict[str, Night | None]]:
    """Bring each night up to date in turn, and compare its features with a full scan; where each was carried from."""
    carried_from = []
    for night in nights:
        moved = bring_up_to_date(connection, features, night, writes)
        carried_from.append(moved)
        scanned = evaluate_active(connection, features, as_of=night.as_of, cutoff=night.cutoff)
        assert as_bits(of_night(connection, features, night, moved)) == as_bits(scanned), night.key
    return carried_from


def of_night(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet, night: Night, stored: Collection[str]
) -> pa.Table:
    """The features by what is stored for the night."""
    text = features.night_sql(carried=stored)
    parameters = features.parameters(night.as_of, night.cutoff)
    return connection.sql(text, params=parameters_used(text, parameters)).to_arrow_table()


def as_bits(table: pa.Table) -> list[dict[str, Any]]:
    """The rows, with every DOUBLE in hexadecimal: no tolerance."""
    return [
        {name: value.hex() if isinstance(value, float) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]


@settings(max_examples=60, **PATIENT)
@given(season=seasons(st.booleans()))
def test_features_when_nights_are_carried_on_then_they_are_those_of_a_full_scan(season: Season) -> None:
    with connect() as warehouse:
        fill(warehouse, season.retailer)
        features = feature_set(corrects=season.retailer.corrects)
        carried_from = night_by_night(warehouse, features, season.nights, NOTHING_WRITTEN)
        first, *others = carried_from
        # Of the tables that may be corrected, only the orders flag what is; the register has versions of its own.
        carried = {"customers", "orders"} if season.retailer.corrects else CARRIED
        assert first == dict.fromkeys(carried)
        assert others == [dict.fromkeys(carried, earlier) for earlier in season.nights[:-1]]


NIGHT = Night(date(2026, 11, 20))


def bought(number: int, at: datetime, known_at: datetime | None = None, amount: str = "10.0000") -> Order:
    return Order(f"N-{number}", "C-1", at, known_at or at, Decimal(amount), 1, is_return=False, channel="web")


@pytest.mark.parametrize(
    ("orders", "value"),
    [
        ([bought(1, NIGHT.as_of - timedelta(days=90))], (1, Decimal("10.0000"), Decimal("10.0000"))),
        ([bought(1, NIGHT.as_of - timedelta(days=89, hours=25))], (0, Decimal("10.0000"), Decimal("10.0000"))),
        (
            [
                bought(1, NIGHT.as_of - timedelta(days=200)),
                bought(2, NIGHT.as_of - timedelta(days=3), NIGHT.cutoff, "20.0000"),
            ],
            (1, Decimal("20.0000"), Decimal("30.0000")),
        ),
        (
            [
                bought(1, NIGHT.as_of - timedelta(days=200)),
                bought(2, NIGHT.as_of - timedelta(days=366), amount="99.0000"),
            ],
            (0, Decimal("10.0000"), Decimal("10.0000")),
        ),
    ],
    ids=["last day of a window", "day after a window", "late order", "largest order has left"],
)
def test_features_when_a_day_passes_then_what_comes_and_goes_is_counted(
    warehouse: duckdb.DuckDBPyConnection, orders: list[Order], value: tuple[int, Decimal, Decimal]
) -> None:
    fill(warehouse, Retailer(orders=orders))
    features = feature_set().select(["orders_90d", "max_order_value_365d", "spend_365d"])
    night_by_night(warehouse, features, (NIGHT.plus(-1), NIGHT), NOTHING_WRITTEN)
    (row,) = of_night(warehouse, features, NIGHT, features.carried).to_pylist()
    assert (row["orders_90d"], row["max_order_value_365d"], row["spend_365d"]) == value


def test_features_when_weeks_pass_then_extremes_follow_what_leaves_their_window(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """Longer than the day that divides a window stays the same: another takes its place."""
    orders = [bought(days, NIGHT.as_of - timedelta(days=days), amount=f"{days}.0000") for days in range(300, 380, 3)]
    fill(warehouse, Retailer(orders=orders))
    features = feature_set().select(["max_order_value_365d", "active_months_365d"])
    nights = tuple(NIGHT.plus(days) for days in range(DIVIDED_EVERY_DAYS + 3))
    table = features.carried["orders"]
    assert sum(not table.is_divided_alike(a.as_of, b.as_of) for a, b in pairwise(nights)) == 1
    carried_from = night_by_night(warehouse, features, nights, NOTHING_WRITTEN)
    assert [found["orders"] for found in carried_from] == [None, *nights[:-1]]


@pytest.mark.parametrize(
    "extreme",
    [
        "max(total_order_amount) FILTER (WHERE is_purchase AND days_ago BETWEEN 30 AND 90)",
        "min(total_order_amount) FILTER (WHERE days_ago > 5 AND days_ago < 40)",
        "max(days_ago) FILTER (WHERE days_ago <= 20)",
        "min(days_ago) FILTER (WHERE days_ago BETWEEN 10 AND 75 AND is_return)",
        "bit_and(item_count) FILTER (WHERE days_ago <= 30)",
        "max(total_order_amount) FILTER (WHERE days_ago <= 50) - min(days_ago) FILTER (WHERE days_ago <= 70)",
    ],
)
@pytest.mark.parametrize("first", [NIGHT, Night(date(1999, 12, 1))], ids=["2026", "before the fixed day"])
def test_extreme_when_weeks_pass_then_it_is_that_of_a_full_scan(
    warehouse: duckdb.DuckDBPyConnection, first: Night, extreme: str
) -> None:
    """With rows that are told weeks late, and rows that a correction moves across the days that divide windows."""
    chance = random.Random(5)
    orders = []
    for number in range(100):
        at = first.as_of + timedelta(days=45, hours=-37 * number)
        order = replace(
            bought(number, at, at + timedelta(days=chance.choice([0, 0, 0, 3, 20])), f"{chance.randrange(1000)}.0000"),
            customer_id=f"C-{chance.randrange(3)}",
            item_count=chance.randrange(1, 64),
            is_return=chance.random() < 0.2,
        )
        orders.append(order)
        if chance.random() < 0.1:
            days = timedelta(days=chance.randrange(1, 25))
            orders.append(replace(order, order_ts=at - days, known_at=order.known_at + days))
    fill(warehouse, Retailer(orders=orders, corrects=True))
    features = feature_set(corrects=True).select(["max_order_value_365d"])
    nights = tuple(first.plus(days) for days in range(0, 45, 2))
    carried_from = night_by_night(
        warehouse, with_feature(features, "max_order_value_365d", extreme), nights, NOTHING_WRITTEN
    )
    assert [found["orders"] for found in carried_from] == [None, *nights[:-1]]


def test_features_when_a_correction_known_before_midnight_moved_an_order_of_after_it_then_it_counts_once(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """The replaced version would come into sight with the new day, the one that replaced it was in sight already."""
    yesterday = NIGHT.plus(-1)
    told = bought(1, yesterday.as_of, yesterday.as_of)
    moved = replace(told, order_ts=yesterday.as_of - timedelta(days=9), known_at=yesterday.cutoff)
    earlier = bought(2, yesterday.as_of - timedelta(days=20))
    fill(warehouse, Retailer(orders=[told, moved, earlier], corrects=True))
    features = feature_set(corrects=True).select(["previous_gap_days", "recency_days"])
    night_by_night(warehouse, features, (yesterday, NIGHT), NOTHING_WRITTEN)
    (row,) = of_night(warehouse, features, NIGHT, features.carried).to_pylist()
    assert (row["recency_days"], row["previous_gap_days"]) == (10, 11)


@pytest.mark.parametrize(
    ("asset", "partition", "written", "is_carried"),
    [
        ("orders.orders", "2026-11-19", 8, False),
        ("orders.orders", "2026-11-01", 8, False),
        ("orders.orders_history", "", 8, False),
        ("orders.orders", "2026-11-20", 8, True),
        ("orders.orders", "2026-11-19", 7, True),
        ("orders.products", "2026-11-19", 8, True),
    ],
)
def test_carrying_when_something_it_has_read_was_written_again_then_all_rows_are_read(
    warehouse: duckdb.DuckDBPyConnection, asset: str, partition: str, written: int, is_carried: bool
) -> None:
    fill(warehouse, Retailer(orders=[bought(1, NIGHT.as_of - timedelta(days=5))]))
    features = feature_set()
    bring_up_to_date(warehouse, features, NIGHT.plus(-1), Writes(7, {}))
    fill(warehouse, Retailer(orders=[bought(1, NIGHT.as_of - timedelta(days=5), amount="77.0000")]))
    found = bring_up_to_date(warehouse, features, NIGHT, Writes(8, {asset: [(partition, written)]}))
    assert found["orders"] == (NIGHT.plus(-1) if is_carried else None)
    assert found["service_contacts"] == NIGHT.plus(-1), "another table"


def test_carrying_when_the_earlier_night_is_too_old_or_of_other_features_then_all_rows_are_read(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    fill(warehouse, Retailer(orders=[bought(1, NIGHT.as_of - timedelta(days=5))]))
    features = feature_set()
    bring_up_to_date(warehouse, features, NIGHT, NOTHING_WRITTEN)
    too_late = NIGHT.plus(LONGEST_STEP_DAYS + 1)
    assert bring_up_to_date(warehouse, features, too_late, NOTHING_WRITTEN)["orders"] is None
    other = features.select(["spend_30d"])
    assert bring_up_to_date(warehouse, other, too_late.plus(1), NOTHING_WRITTEN)["orders"] is None


def test_carrying_when_a_night_runs_again_then_what_is_stored_stays(warehouse: duckdb.DuckDBPyConnection) -> None:
    fill(warehouse, Retailer(orders=[bought(1, NIGHT.as_of - timedelta(days=5))]))
    carried_from = night_by_night(warehouse, feature_set(), (NIGHT.plus(-1), NIGHT, NIGHT), NOTHING_WRITTEN)
    assert [found["orders"] for found in carried_from] == [None, NIGHT.plus(-1), NIGHT]


def test_features_when_an_earlier_night_runs_again_then_all_are_those_of_a_full_scan(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    fill(warehouse, Retailer(orders=[bought(1, NIGHT.as_of - timedelta(days=92))]))
    yesterday = NIGHT.plus(-1)
    nights = (NIGHT.plus(-2), yesterday, NIGHT, yesterday, NIGHT.plus(1))
    carried_from = night_by_night(warehouse, feature_set(), nights, NOTHING_WRITTEN)
    # The rerun reads all rows and leaves what is stored to the night it belongs to.
    assert [found.get("orders", "left alone") for found in carried_from] == [
        None,
        NIGHT.plus(-2),
        yesterday,
        "left alone",
        NIGHT,
    ]


def test_carrying_when_a_day_passes_then_only_customers_whom_something_happened_to_are_written(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    ages = {"idle": 40, "came": 1, "left a window": 91, "late": 30}
    orders = [
        replace(bought(number, NIGHT.as_of - timedelta(days=age, hours=-1)), customer_id=customer)
        for number, (customer, age) in enumerate(ages.items())
    ]
    orders[-1] = replace(orders[-1], known_at=NIGHT.cutoff)
    fill(warehouse, Retailer(orders=orders))
    features = feature_set().select(["recency_days", "orders_90d"])
    night_by_night(warehouse, features, (NIGHT.plus(-1),), NOTHING_WRITTEN)
    table = features.carried["orders"]
    text = table.from_earlier(1)
    yesterday = NIGHT.plus(-1)
    times = {"as_of": NIGHT.as_of, "cutoff": NIGHT.cutoff}
    times |= {"earlier_as_of": yesterday.as_of, "earlier_cutoff": yesterday.cutoff}
    changed = warehouse.execute(f"SELECT customer_id FROM ({text})", parameters_used(text, times)).fetchall()
    assert {customer for (customer,) in changed} == {"came", "left a window", "late"}


def test_carrying_when_rows_are_replaced_night_after_night_then_the_gaps_are_closed(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """Nobody else closes them: DuckDB is told not to."""
    orders = [
        replace(bought(days * 100 + number, NIGHT.plus(days).as_of - timedelta(hours=1)), customer_id=f"C-{number}")
        for days in range(8)
        for number in range(50)
    ]
    fill(warehouse, Retailer(orders=orders))
    features = feature_set().select(["recency_days", "orders_90d"])
    night_by_night(warehouse, features, tuple(NIGHT.plus(days) for days in range(8)), NOTHING_WRITTEN)
    size = "SELECT estimated_size FROM duckdb_tables() WHERE table_name = 'carried_orders'"
    ((stored,),) = warehouse.execute(size).fetchall()
    assert 50 <= stored <= 3 * 50


def test_carrying_when_a_correction_takes_the_only_order_away_then_the_customer_is_gone(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    told = bought(1, NIGHT.as_of - timedelta(days=9))
    moved = replace(told, customer_id="C-2", known_at=NIGHT.cutoff)
    fill(warehouse, Retailer(orders=[told, moved], corrects=True))
    features = feature_set(corrects=True)
    night_by_night(warehouse, features, (NIGHT.plus(-1), NIGHT), NOTHING_WRITTEN)
    stored = warehouse.execute("SELECT customer_id FROM features.carried_orders").fetchall()
    assert stored == [("C-2",)]


@settings(max_examples=40, **PATIENT)
@given(season=seasons(st.booleans()))
def test_features_when_read_without_looking_for_corrections_that_are_none_then_they_are_the_same(
    season: Season,
) -> None:
    """And where some are, they are looked for."""
    with connect() as warehouse:
        fill(warehouse, season.retailer)
        features = feature_set(corrects=True)
        reader = features.as_corrected_in(warehouse)
        is_corrected = warehouse.execute("SELECT 1 FROM orders.orders WHERE is_correction").fetchall() != []
        assert ("orders" in reader.corrected) == is_corrected
        night = season.nights[-1]
        expected, found = (
            evaluate_active(warehouse, each, as_of=night.as_of, cutoff=night.cutoff) for each in (features, reader)
        )
        assert as_bits(found) == as_bits(expected)


def test_latest_value_when_it_is_a_condition_then_its_nulls_are_passed_over(
    warehouse: duckdb.DuckDBPyConnection,
) -> None:
    """As `arg_max` itself passes over them."""
    expression = "arg_max(NULL OR country = 'France', known_at)"
    versions = [
        CustomerVersion("C-1", NIGHT.plus(days).as_of, date(2020, 1, 1), country)
        for days, country in ((-9, "France"), (0, "Spain"))
    ]
    orders = [bought(1, NIGHT.as_of - timedelta(days=5))]
    fill(warehouse, Retailer(orders=orders, customers=versions))
    features = with_feature(feature_set(), "is_domestic", expression)
    for night in (NIGHT.plus(-1), NIGHT):
        moved = bring_up_to_date(warehouse, features, night, NOTHING_WRITTEN)
        (row,) = of_night(warehouse, features, night, moved).to_pylist()
        assert row["is_domestic"] is True


@settings(max_examples=25, **PATIENT)
@given(season=seasons(st.just(True)))
def test_features_when_corrections_begin_between_nights_then_they_are_those_of_a_full_scan(season: Season) -> None:
    """As in life: each night sees only what has been delivered by then, and is read as the corrections so far ask."""
    with connect() as warehouse:
        features = feature_set(corrects=True)
        for night in season.nights:
            fill(warehouse, season.retailer, known_until=night.cutoff)
            reader = features.as_corrected_in(warehouse)
            moved = bring_up_to_date(warehouse, reader, night, NOTHING_WRITTEN)
            scanned = evaluate_active(warehouse, features, as_of=night.as_of, cutoff=night.cutoff)
            assert as_bits(of_night(warehouse, reader, night, moved)) == as_bits(scanned), night.key
