"""The naive oracle: every feature a second time, in plain Python over the rows of one customer.

Written from the features' descriptions and never from their SQL: a window is two instants, money and quotients are
fractions, and a customer is looked at alone. To add a feature, add one entry to `ORACLES`; a feature without one fails
`test_feature_oracle.py`.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, TypeVar

from tests.unit.feature_rows import COUNTRY, CampaignContact, CustomerVersion, Order, Retailer, ServiceContact

EVER = 36_500
"""Days that reach beyond any retailer's first order."""

Value = int | bool | Decimal | Fraction | float | None
Row = TypeVar("Row", Order, ServiceContact, CampaignContact)


@dataclass
class Customer:
    """What a night could have seen of one customer, in the order in which it happened."""

    as_of: datetime
    first_order_of_retailer: datetime | None
    orders: list[Order] = field(default_factory=list)
    service: list[ServiceContact] = field(default_factory=list)
    campaigns: list[CampaignContact] = field(default_factory=list)
    register: list[CustomerVersion] = field(default_factory=list)

    def purchases(self, start: int = EVER, end: int = 0) -> list[Order]:
        """Orders that are no returns, from `start` days before as_of up to, and without, `end` days before it."""
        return [order for order in self._within(self.orders, start, end) if not order.is_return]

    def returns(self, start: int = EVER) -> list[Order]:
        """Orders that took goods back, of the last `start` days."""
        return [order for order in self._within(self.orders, start) if order.is_return]

    def service_contacts(self, start: int = EVER) -> list[ServiceContact]:
        """Contacts with service of the last `start` days."""
        return self._within(self.service, start)

    def campaign_contacts(self, start: int) -> list[CampaignContact]:
        """Campaign contacts of the last `start` days; who is held out is assigned, but not contacted."""
        return [contact for contact in self._within(self.campaigns, start) if contact.arm == "treatment"]

    def _within(self, rows: Sequence[Row], start: int, end: int = 0) -> list[Row]:
        first, last = self.as_of - timedelta(days=start), self.as_of - timedelta(days=end)
        return [row for row in rows if first <= row.at < last]

    def days_since(self, moment: date | datetime | None) -> int | None:
        """Calendar days from a moment to as_of."""
        if moment is None:
            return None
        return (self.as_of.date() - (moment.date() if isinstance(moment, datetime) else moment)).days

    def days_since_first(self, rows: Sequence[Row]) -> int | None:
        """Calendar days from the earliest row to as_of."""
        return self.days_since(min((row.at for row in rows), default=None))

    def days_since_last(self, rows: Sequence[Row]) -> int | None:
        """Calendar days from the latest row to as_of."""
        return self.days_since(max((row.at for row in rows), default=None))

    def gaps(self) -> list[int]:
        """Calendar days between each purchase and the next."""
        return [(later.at.date() - earlier.at.date()).days for earlier, later in pairwise(self.purchases())]


def ratio(top: Value, bottom: Value) -> Fraction | None:
    """A quotient, null where there is nothing to divide or to divide by."""
    return None if top is None or not bottom else Fraction(top) / Fraction(bottom)


def money(orders: Iterable[Order]) -> Decimal:
    """The signed value of orders together."""
    return sum((order.total_order_amount for order in orders), Decimal(0))


def mean(values: Sequence[Value]) -> Fraction | None:
    """The arithmetic mean; null of nothing."""
    return ratio(sum((Fraction(value) for value in values if value is not None), Fraction(0)), len(values))


def share(of: Sequence[Row], fulfils: Callable[[Row], bool]) -> Fraction | None:
    """The share of rows that fulfil a condition; null of no rows."""
    return mean([fulfils(row) for row in of])


def sample_deviation(values: Sequence[Decimal]) -> float | None:
    """Square root of the squared distances from the mean, divided by one less than there are values."""
    centre = mean(values)
    if centre is None or len(values) < 2:
        return None
    return math.sqrt(sum((Fraction(value) - centre) ** 2 for value in values) / (len(values) - 1))


def last_purchase(customer: Customer) -> Order | None:
    """Of several purchases at the same instant the largest."""
    return max(customer.purchases(), key=lambda order: (order.at, order.total_order_amount), default=None)


def months_with_a_purchase(customer: Customer) -> int:
    """Calendar months of the last 365 days in which the customer bought."""
    return len({(order.at.year, order.at.month) for order in customer.purchases(365)})


def channels(customer: Customer) -> set[str]:
    """Web, app, store and other; an unknown channel is none."""
    known = {order.channel for order in customer.purchases(365)} - {None}
    return {channel if channel in ("web", "app", "store") else "other" for channel in known}


def lateness(customer: Customer) -> Fraction | None:
    """Days since the last purchase in units of the mean gap."""
    return ratio(customer.days_since_last(customer.purchases()), mean(customer.gaps()))


def is_domestic(customer: Customer) -> bool | None:
    """Whether the last country that the register gave is the business's own."""
    countries = [version.country for version in customer.register if version.country is not None]
    return countries[-1] == COUNTRY if countries else None


def history(customer: Customer) -> int | None:
    """How much of the past the windows could see."""
    days = customer.days_since(customer.first_order_of_retailer)
    return None if days is None else min(days, 365)


ORACLES: dict[str, Callable[[Customer], Value]] = {
    "active_months_365d": months_with_a_purchase,
    "as_of_day_of_year": lambda c: (c.as_of.date() - date(c.as_of.year, 1, 1)).days + 1,
    "avg_order_value_365d": lambda c: ratio(money(c.purchases(365)), len(c.purchases(365))),
    "avg_order_value_90d": lambda c: ratio(money(c.purchases(90)), len(c.purchases(90))),
    "campaign_contacts_90d": lambda c: len(c.campaign_contacts(90)),
    "campaign_response_rate_365d": lambda c: share(c.campaign_contacts(365), lambda contact: contact.response),
    "campaign_responses_365d": lambda c: sum(contact.response for contact in c.campaign_contacts(365)),
    "channel_count_365d": lambda c: len(channels(c)),
    "complaints_90d": lambda c: sum(
        contact.topic in ("delivery", "quality", "billing") for contact in c.service_contacts(90)
    ),
    "days_since_last_contact": lambda c: c.days_since_last(c.service_contacts()),
    "days_since_last_return": lambda c: c.days_since_last(c.returns()),
    "days_since_registration": lambda c: c.days_since(c.register[-1].registered_on) if c.register else None,
    "history_days": history,
    "is_domestic": is_domestic,
    "items_365d": lambda c: sum(order.item_count for order in c.purchases(365)),
    "items_per_order_365d": lambda c: mean([order.item_count for order in c.purchases(365)]),
    "last_order_value": lambda c: None if (last := last_purchase(c)) is None else last.total_order_amount,
    "max_order_value_365d": lambda c: max((order.total_order_amount for order in c.purchases(365)), default=None),
    "mean_gap_days": lambda c: mean(c.gaps()),
    "november_december_share_365d": lambda c: share(c.purchases(365), lambda order: order.at.month in (11, 12)),
    "online_share_365d": lambda c: share(
        [order for order in c.purchases(365) if order.channel is not None], lambda order: order.channel != "store"
    ),
    "order_value_spread_365d": lambda c: sample_deviation([order.total_order_amount for order in c.purchases(365)]),
    "orders_180d": lambda c: len(c.purchases(180)),
    "orders_30d": lambda c: len(c.purchases(30)),
    "orders_365d": lambda c: len(c.purchases(365)),
    "orders_60d": lambda c: len(c.purchases(60)),
    "orders_90d": lambda c: len(c.purchases(90)),
    "orders_same_season_last_year": lambda c: len(c.purchases(365, 275)),
    "orders_total": lambda c: len(c.purchases()),
    "orders_trend_90d": lambda c: ratio(len(c.purchases(90)) + 1, len(c.purchases(180, 90)) + 1),
    "previous_gap_days": lambda c: c.gaps()[-1] if c.gaps() else None,
    "recency_days": lambda c: c.days_since_last(c.purchases()),
    "recency_over_mean_gap": lateness,
    "return_count_365d": lambda c: len(c.returns(365)),
    "return_rate_365d": lambda c: ratio(len(c.returns(365)), len(c.returns(365)) + len(c.purchases(365))),
    "returned_value_365d": lambda c: -money(c.returns(365)),
    "service_contacts_30d": lambda c: len(c.service_contacts(30)),
    "service_contacts_90d": lambda c: len(c.service_contacts(90)),
    "spend_180d": lambda c: money(c.purchases(180)),
    "spend_30d": lambda c: money(c.purchases(30)),
    "spend_365d": lambda c: money(c.purchases(365)),
    "spend_90d": lambda c: money(c.purchases(90)),
    "spend_same_season_last_year": lambda c: money(c.purchases(365, 275)),
    "spend_trend_90d": lambda c: ratio(money(c.purchases(90)), money(c.purchases(180))),
    "tenure_days": lambda c: c.days_since_first(c.purchases()),
    "unresolved_contacts_180d": lambda c: sum(not contact.is_resolved for contact in c.service_contacts(180)),
    "weekend_share_365d": lambda c: share(c.purchases(365), lambda order: order.at.strftime("%a") in ("Sat", "Sun")),
}
"""Feature -> its value for one customer, exact: a `float` only where the value is no fraction."""


def as_seen(retailer: Retailer, customers: Iterable[str], as_of: datetime, cutoff: datetime) -> dict[str, Customer]:
    """Each customer as a night could have seen it: events before as_of, as they were known at the cutoff."""
    orders = _visible(retailer, retailer.orders, as_of, cutoff)
    first = min((order.at for order in orders), default=None)
    seen = {customer: Customer(as_of, first) for customer in customers}
    for order in orders:
        if order.customer_id in seen:
            seen[order.customer_id].orders.append(order)
    for contact in _visible(retailer, retailer.service_contacts, as_of, cutoff):
        if contact.customer_id in seen:
            seen[contact.customer_id].service.append(contact)
    for assigned in _visible(retailer, retailer.campaign_contacts, as_of, cutoff):
        if assigned.customer_id in seen:
            seen[assigned.customer_id].campaigns.append(assigned)
    for version in sorted(retailer.customers, key=lambda row: row.known_at):
        if version.customer_id in seen and version.known_at <= cutoff and version.registered_on < as_of.date():
            seen[version.customer_id].register.append(version)
    return seen


def _visible(retailer: Retailer, rows: Sequence[Row], as_of: datetime, cutoff: datetime) -> list[Row]:
    """In the order in which they happened; of a corrected row only the version known last."""
    known = [row for row in rows if row.known_at <= cutoff]
    if retailer.corrects:
        known = list({row.key: row for row in sorted(known, key=lambda row: row.known_at)}.values())
    return sorted((row for row in known if row.at < as_of), key=lambda row: row.at)


def expected(customer: Customer) -> dict[str, Value]:
    """Every feature of one customer."""
    return {name: oracle(customer) for name, oracle in ORACLES.items()}


def differences(row: Mapping[str, Any], wanted: Mapping[str, Value]) -> list[str]:
    """The features of a row whose value is not the oracle's."""
    return [
        f"{name}: SQL {row[name]!r}, oracle {value!r}" for name, value in wanted.items() if not _same(row[name], value)
    ]


def _same(got: Any, wanted: Value) -> bool:
    """Exact; a DOUBLE may be two units in the last place away, because it was rounded twice and the oracle once."""
    if got is None or wanted is None:
        return got is wanted
    if isinstance(got, float):
        return math.isfinite(got) and abs(Fraction(got) - Fraction(wanted)) <= 2 * Fraction(math.ulp(wanted))
    return Fraction(got) == Fraction(wanted)


def active(customers: Mapping[str, Customer]) -> list[str]:
    """Who bought within 365 days: the population of a night."""
    return sorted(name for name, customer in customers.items() if customer.purchases(365))
