"""Hypothesis strategies for retailers whose rows stand where a feature can go wrong.

Instants are drawn where windows begin and end, one microsecond on either side of it, and again and again at the same
instant; knowledge comes at once, late, at the cutoff, just after it, or as a correction of what was known before.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from athena_assets.features.definition import load_definitions
from tests.unit.feature_rows import (
    COUNTRY,
    TABLES,
    CampaignContact,
    CustomerVersion,
    Order,
    Retailer,
    ServiceContact,
)

INSTANT = timedelta(microseconds=1)
PATIENT: dict[str, Any] = {"deadline": None, "suppress_health_check": list(HealthCheck)}
"""Settings of hypothesis that ask nothing of the machine's speed."""


def window_edges() -> list[int]:
    """Days before as_of at which some feature's window begins or ends."""
    declared = [re.findall(r"\d+", definition.window) for definition in load_definitions()]
    ends = {int(window[-1]) for window in declared if window}
    starts = {int(window[0]) - 1 for window in declared if len(window) == 2}
    return sorted({0, *ends, *starts})


def moments(as_of: datetime) -> st.SearchStrategy[list[datetime]]:
    """When something happens to a customer: around the edges of windows and months, and at any time.

    Around: at that instant, in the last microsecond before it, and within the second after it.
    """
    edges, months = st.sampled_from(window_edges()), st.sampled_from(range(30, 400, 30))
    around = (st.just(0) | edges | edges | edges | months).map(lambda days: as_of - timedelta(days=days))
    anywhere = st.datetimes(as_of - timedelta(days=800), as_of + timedelta(days=20))
    return st.lists(around | around | anywhere, min_size=1, max_size=3).map(
        lambda chosen: [moment + ticks * INSTANT for moment in chosen for ticks in (0, -1, 400_000)]
    )


def knowledge(happened: datetime, cutoff: datetime) -> st.SearchStrategy[datetime]:
    """When something becomes known that happened then."""
    delays = [timedelta(days=delay) for delay in (0, 0, 1, 14, 90)]
    at_cutoff = [cutoff - INSTANT, cutoff, cutoff + INSTANT]
    return st.sampled_from([*(happened + delay for delay in delays), *at_cutoff])


AMOUNTS = (
    st.integers(0, 10_000).map(lambda cents: Decimal(cents).scaleb(-2))
    | st.integers(0, 10**10).map(lambda parts: Decimal(parts).scaleb(-4))
    | st.sampled_from([Decimal(0), Decimal("0.0001"), Decimal("1000000.0000")])
)


@st.composite
def orders(draw: st.DrawFn, customer: str | None, happened: Sequence[datetime], cutoff: datetime) -> Order:
    """One order or return at one of the customer's moments."""
    at, is_return, amount = draw(st.sampled_from(happened)), draw(st.sampled_from([False, False, True])), draw(AMOUNTS)
    return Order(
        order_id="",
        customer_id=customer,
        order_ts=at,
        known_at=draw(knowledge(at, cutoff)),
        total_order_amount=-amount if is_return else amount,
        item_count=draw(st.integers(0, 500)),
        is_return=is_return,
        channel=draw(st.sampled_from(["web", "app", "store", "telephone", "fair", None])),
    )


@st.composite
def service_contacts(
    draw: st.DrawFn, customer: str | None, happened: Sequence[datetime], cutoff: datetime
) -> ServiceContact:
    """One contact with service."""
    at = draw(st.sampled_from(happened))
    topic = draw(st.sampled_from(["delivery", "quality", "billing", "question"]))
    return ServiceContact("", customer, at, draw(knowledge(at, cutoff)), topic, draw(st.booleans()))


@st.composite
def campaign_contacts(
    draw: st.DrawFn, customer: str | None, happened: Sequence[datetime], cutoff: datetime
) -> CampaignContact:
    """One assignment to an arm of a campaign."""
    at = draw(st.sampled_from(happened))
    arm = draw(st.sampled_from(["treatment", "treatment", "holdout"]))
    return CampaignContact("", customer, at, draw(knowledge(at, cutoff)), arm, draw(st.booleans()))


@st.composite
def customer_versions(
    draw: st.DrawFn, customer: str, happened: Sequence[datetime], cutoff: datetime
) -> CustomerVersion:
    """One version of the register's entry."""
    at = draw(st.sampled_from(happened))
    country = draw(st.sampled_from([COUNTRY, "France", None]))
    return CustomerVersion(customer, draw(knowledge(at, cutoff)), at.date(), country)


@st.composite
def retailers(
    draw: st.DrawFn, as_of: datetime, cutoff: datetime, *, corrects: bool = False, customers: int = 6
) -> Retailer:
    """A small retailer: up to `customers` customers, and anonymous sales."""
    retailer = Retailer(corrects=corrects)
    few = {"max_size": 4}
    for customer in [None, *(f"C-{number}" for number in range(draw(st.integers(0, customers))))]:
        happened = draw(moments(as_of))
        where = (customer, happened, cutoff)
        retailer.orders.extend(draw(st.lists(orders(*where), max_size=7 if customer else 2)))
        retailer.service_contacts.extend(draw(st.lists(service_contacts(*where), **few)))
        retailer.campaign_contacts.extend(draw(st.lists(campaign_contacts(*where), **few)))
        if customer is not None:
            versions = st.lists(customer_versions(*where), max_size=3, unique_by=lambda version: version.known_at)
            retailer.customers.extend(draw(versions))
    retailer.orders[:] = _identified(draw, retailer.orders, "order_id", corrects)
    retailer.service_contacts[:] = _identified(draw, retailer.service_contacts, "contact_id", corrects)
    retailer.campaign_contacts[:] = _identified(draw, retailer.campaign_contacts, "contact_id", corrects)
    return retailer


def _identified(draw: st.DrawFn, rows: Sequence[Any], key: str, corrects: bool) -> list[Any]:
    """The rows with an id each or, where they correct one another, with one id for some; never two known at once."""
    numbers = [draw(st.integers(0, number)) if corrects else number for number in range(len(rows))]
    named = [replace(row, **{key: f"N-{number}"}) for row, number in zip(rows, numbers, strict=True)]
    return list({(getattr(row, key), row.known_at): row for row in named}.values())


TURNS = [date(2012, 3, 1), date(2013, 2, 28), date(2011, 1, 1), date(2011, 11, 1), date(2010, 12, 6)]
MIDNIGHTS = (st.sampled_from(TURNS) | st.dates(date(2004, 1, 1), date(2028, 12, 31))).map(
    lambda day: datetime(day.year, day.month, day.day)
)
"""When a night can end: turns of years, months and leap years as often as any other day."""


def drawn(strategy: st.SearchStrategy[Any], count: int) -> list[Any]:
    """The same `count` examples on every run and machine, the simplest possible first.

    Each comes from a seed of its own: within one run hypothesis varies what it has just tried, which is right for
    closing in on a fault and too narrow for a collection.
    """
    # A run begins with the simplest example, whatever its seed.
    return [_run(strategy, number)[1 if number else 0] for number in range(count)]


def _run(strategy: st.SearchStrategy[Any], number: int) -> list[Any]:
    tried: list[Any] = []

    @seed(number)
    @settings(max_examples=2, database=None, phases=[Phase.generate], **PATIENT)
    @given(strategy)
    def collect(example: Any) -> None:
        tried.append(example)

    collect()
    return tried


def merged(retailers: Sequence[Retailer]) -> Retailer:
    """Many small retailers as one: whose customers and ids are told apart by the number of the retailer."""
    whole = Retailer(corrects=any(retailer.corrects for retailer in retailers))
    for number, retailer in enumerate(retailers):
        for table in TABLES:
            for row in getattr(retailer, table):
                ids = {name: value for name, value in vars(row).items() if name.endswith("_id") and value is not None}
                changed = {name: f"{value}-{number}" for name, value in ids.items()}
                getattr(whole, table).append(replace(row, **changed))
    return whole
