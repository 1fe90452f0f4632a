"""The oracle notices: every slip of the hand in a feature's SQL changes a value that generated retailers show.

Tests that compare are worth what they catch. Here each feature and each base table is broken in every small way that
`feature_mutants.py` knows, and in the ways in which skew has crept in elsewhere.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from athena_assets.features.base_table import load_bases
from athena_assets.features.compiler import CONTEXT
from athena_assets.features.definition import InvalidFeature, load_definitions
from athena_assets.features.feature_set import FeatureSet
from tests.unit.feature_histories import INSTANT, drawn, merged, retailers
from tests.unit.feature_mutants import mutants, with_base, with_feature
from tests.unit.feature_oracle import Value, differences
from tests.unit.feature_rows import Order, Retailer
from tests.unit.feature_warehouse import Situation, connect, feature_set, fill

AS_OF = datetime(2012, 3, 1)
OTHER_AS_OF = datetime(2010, 12, 6)
"""A Monday: the days on either side of its year's edge are a weekend in December."""
NIGHT = timedelta(hours=2)

EQUIVALENT = {
    # The same number of bits, one place further on; and what tells thirteen months apart, tells them apart by fourteen.
    "active_months_365d": ["(2 << (", "% 14)"],
    "avg_order_value_365d": ["<= 365), -1)"],  # a sum of nothing is null before it is divided
    "avg_order_value_90d": ["<= 90), -1)"],
    "history_days": ["> 364 THEN", ">= 365 THEN"],  # 365 is 365 by either branch
    "previous_gap_days": ["(days_ago, 3)"],  # the second smallest of three
    "orders": [
        "channel <> 'store' THEN 4",  # store and other channels change bits
        "- 1152921504606846976 + CAST",  # half of 2^61 less is half of it more, in the lowest 61 bits
    ],
}
"""Slips that no customer could ever show: feature or base table -> how the text can be told from the others.

A slip that goes unnoticed and is none of these asks for a better generator (`feature_histories.py`).
"""


@dataclass(frozen=True)
class World:
    """A situation in a warehouse of its own, with the oracle's values."""

    situation: Situation
    connection: duckdb.DuckDBPyConnection
    wanted: dict[str, dict[str, Value]]

    @classmethod
    def of(cls, retailer: Retailer, as_of: datetime) -> "World":
        """The retailer as the night before as_of sees it."""
        situation, connection = Situation(retailer, as_of, as_of + NIGHT), connect()
        fill(connection, retailer)
        return cls(situation, connection, situation.expected())

    def shows(self, features: FeatureSet) -> bool:
        """Whether any value differs from the oracle's."""
        rows = self.situation.evaluate(self.connection, features)
        wanted = {name: {column: values[column] for column in features.columns} for name, values in self.wanted.items()}
        return any(differences(row, wanted[name]) for name, row in rows.items())


@pytest.fixture(scope="module")
def crowd() -> Iterator[list[World]]:
    """Hundreds of generated customers at two days."""
    worlds = [World.of(merged(drawn(retailers(day, day + NIGHT), 100)), day) for day in (AS_OF, OTHER_AS_OF)]
    yield worlds
    for world in worlds:
        world.connection.close()


@pytest.fixture(scope="module")
def beginners() -> Iterator[list[World]]:
    """Retailers with one order or two: what looks at the whole retailer shows itself there only."""

    def sale(at: datetime, known_at: datetime) -> Order:
        return Order(f"N-{at}", None, at, known_at, Decimal(1), 1, False, None)

    cutoff, yesterday = AS_OF + NIGHT, sale(AS_OF - timedelta(days=1), AS_OF)
    first = [
        sale(AS_OF - timedelta(days=edge) + ticks * INSTANT, known_at)
        for edge in (0, 365)
        for ticks in (-1, 0)
        for known_at in (cutoff, cutoff + INSTANT)
    ]
    worlds = [World.of(Retailer(orders=[order, *later]), AS_OF) for order in first for later in ([], [yesterday])]
    yield worlds
    for world in worlds:
        world.connection.close()


def noticed(features: FeatureSet, worlds: list[World]) -> bool:
    """Whether a value differs somewhere; SQL that is refused cannot go unnoticed."""
    try:
        return any(world.shows(features) for world in worlds)
    except (duckdb.Error, InvalidFeature):
        return True


def unnoticed(name: str, original: str, changed: Iterable[tuple[str, FeatureSet]], worlds: list[World]) -> list[str]:
    """Texts of the mutants that no world shows and that are not known to be equivalent."""
    silent = [text for text, features in changed if not noticed(features, worlds)]
    assert original in silent, "the feature differs from its oracle before it is broken"
    known = EQUIVALENT.get(name, ())
    assert [part for part in known if not any(part in text for text in silent)] == [], "no longer equivalent"
    return [text for text in silent if text != original and not any(part in text for part in known)]


def test_slips_when_counted_then_only_the_day_of_the_year_has_none() -> None:
    slips = {definition.name: len(list(mutants(definition.expression))) for definition in load_definitions()}
    assert [name for name, count in slips.items() if count == 0] == ["as_of_day_of_year"]
    assert sum(slips.values()) > 400


@pytest.mark.parametrize("name", [definition.name for definition in load_definitions()])
def test_feature_when_its_sql_slips_then_a_generated_customer_shows_it(
    name: str, crowd: list[World], beginners: list[World]
) -> None:
    features = feature_set()
    definition = features.by_name[name]
    texts = [definition.expression, *mutants(definition.expression)]
    worlds = beginners if definition.table == CONTEXT else crowd
    changed = [(text, with_feature(features, name, text)) for text in texts]
    assert unnoticed(name, definition.expression, changed, worlds) == []


@pytest.mark.parametrize("table", list(load_bases()))
def test_base_table_when_its_sql_slips_then_a_generated_customer_shows_it(
    table: str, crowd: list[World], beginners: list[World]
) -> None:
    features = feature_set()
    original = features.bases[table].sql
    changed = [(text, with_base(features, table, text)) for text in (original, *mutants(original))]
    assert unnoticed(table, original, changed, beginners if table == CONTEXT else crowd) == []


TALES: dict[str, tuple[str, str, str]] = {
    "returns in the average order value": ("avg_order_value_90d", "is_purchase AND ", ""),
    "returns in its sum but not in its count": (
        "avg_order_value_90d",
        "sum(total_order_amount) FILTER (WHERE is_purchase AND ",
        "sum(total_order_amount) FILTER (WHERE ",
    ),
    "spend net of returns": ("spend_90d", "is_purchase AND ", ""),
    "a return as a sign of life": ("recency_days", " FILTER (WHERE is_purchase)", ""),
    "a mean of nothing that is nought": (
        "items_per_order_365d",
        "nullif({orders_365d}, 0)",
        "greatest({orders_365d}, 1)",
    ),
    "an unknown channel as a shop": ("online_share_365d", "count(is_online)", "count(*)"),
    "the held-out as contacted": ("campaign_contacts_90d", "is_contacted AND ", ""),
    "the earliest registration for the last known": (
        "days_since_registration",
        "arg_max(days_registered, known_at)",
        "max(days_registered)",
    ),
    "an unknown history as a full year": (
        "history_days",
        "CASE WHEN retailer_days > 365 THEN 365 ELSE retailer_days END",
        "least(retailer_days, 365)",
    ),
}
"""How skew crept into other systems or into this one: feature, what it says, what was said instead."""


@pytest.mark.parametrize("tale", TALES)
def test_feature_when_it_is_computed_as_in_a_cautionary_tale_then_a_generated_customer_shows_it(
    tale: str, crowd: list[World], beginners: list[World]
) -> None:
    name, says, instead = TALES[tale]
    features = feature_set()
    definition = features.by_name[name]
    assert says in definition.expression
    told = with_feature(features, name, definition.expression.replace(says, instead))
    assert any(world.shows(told) for world in (beginners if definition.table == CONTEXT else crowd))


CONFUSIONS = {
    "what was known too late": ("known_at <= CAST($cutoff AS TIMESTAMP)", "true"),
    "only what was known at midnight": ("known_at <= CAST($cutoff", "known_at <= CAST($as_of"),
    "what happened between midnight and the cutoff": ("_ts < CAST($as_of", "_ts < CAST($cutoff"),
}


@pytest.mark.parametrize("confusion", CONFUSIONS)
@pytest.mark.parametrize("table", [table for table in load_bases() if table != "customers"])
def test_base_table_when_it_confuses_the_two_times_then_a_generated_customer_shows_it(
    table: str, confusion: str, crowd: list[World], beginners: list[World]
) -> None:
    says, instead = CONFUSIONS[confusion]
    features = feature_set()
    sql = features.bases[table].sql
    assert says in sql
    confused = with_base(features, table, sql.replace(says, instead))
    assert any(world.shows(confused) for world in (beginners if table == CONTEXT else crowd))


@pytest.fixture(scope="module")
def correctors() -> Iterator[list[World]]:
    """Small retailers that deliver orders and contacts again, corrected."""
    strategy = retailers(AS_OF, AS_OF + NIGHT, corrects=True)
    worlds = [World.of(retailer, AS_OF) for retailer in drawn(strategy, 20)]
    yield worlds
    for world in worlds:
        world.connection.close()


@pytest.mark.parametrize("table", [table for table in load_bases() if table != "customers"])
def test_base_table_when_it_counts_corrections_beside_what_they_correct_then_a_generated_customer_shows_it(
    table: str, correctors: list[World]
) -> None:
    columns = tuple(feature.name for feature in load_definitions() if feature.table == table)
    assert any(world.shows(replace(feature_set(), columns=columns)) for world in correctors)
