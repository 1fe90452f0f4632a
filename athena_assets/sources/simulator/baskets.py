"""What is in an order, and what of it comes back."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from athena_assets.sources.simulator.catalogue import Catalogue
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import FAVOURITES, STAFF, Traits
from athena_assets.sources.simulator.scenarios import basket_factor, is_holiday

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

MAX_LINES = 40
RETURN_LAG_DAYS = (2, 28)
"""Shortest and longest time from an order to its return."""
BULK_LEAST, BULK_MOST, BULK_TAIL = 4.0, 60.0, 1.5
"""By how much a bulk order multiplies the units of its lines: least, most, and exponent of the tail in between."""
STAFF_DISCOUNT_PERCENT = 25
"""Off the list price, in place of any promotion."""

_OPENS, _OPEN_SECONDS = 8 * 3600, 14 * 3600
_PRODUCT_KEY = 1 << 32


@dataclass(frozen=True)
class Orders:
    """Orders and their lines as columns; `order` of a line indexes the order columns.

    Quantities are signed (negative on returns), prices are integer cents, `second` is within the day.
    """

    day: IntArray
    second: IntArray
    customer: IntArray
    is_return: npt.NDArray[np.bool_]
    order: IntArray
    product: IntArray
    quantity: IntArray
    price_cents: IntArray

    @classmethod
    def joined(cls, parts: list["Orders"]) -> "Orders":
        """All parts one after the other, line indices shifted accordingly."""
        starts = np.cumsum([0] + [part.day.size for part in parts[:-1]])
        return cls(
            day=np.concatenate([part.day for part in parts]),
            second=np.concatenate([part.second for part in parts]),
            customer=np.concatenate([part.customer for part in parts]),
            is_return=np.concatenate([part.is_return for part in parts]),
            order=np.concatenate([part.order + start for part, start in zip(parts, starts, strict=True)]),
            product=np.concatenate([part.product for part in parts]),
            quantity=np.concatenate([part.quantity for part in parts]),
            price_cents=np.concatenate([part.price_cents for part in parts]),
        )

    def selected(self, kept: IntArray) -> "Orders":
        """These orders in this order; their lines follow, each order's own as they were."""
        rank = np.full(self.day.size, -1)
        rank[kept] = np.arange(kept.size)
        lines = np.argsort(rank[self.order], kind="stable")
        lines = lines[rank[self.order[lines]] >= 0]
        return Orders(
            day=self.day[kept],
            second=self.second[kept],
            customer=self.customer[kept],
            is_return=self.is_return[kept],
            order=rank[self.order[lines]],
            product=self.product[lines],
            quantity=self.quantity[lines],
            price_cents=self.price_cents[lines],
        )


def opening_seconds(rng: np.random.Generator, size: int) -> IntArray:
    """Moments of a trading day, seconds after midnight, most around the middle of it."""
    return _OPENS + (rng.random((size, 2)).mean(axis=1) * _OPEN_SECONDS).astype(np.int64)


def day_of_orders(
    rng: np.random.Generator,
    parameters: SimulatorParameters,
    catalogue: Catalogue,
    traits: Traits,
    *,
    day: int,
    month: int,
    buyers: IntArray,
) -> Orders:
    """One order per buyer on `day`, followed by the returns (of later days) that come of them.

    A product appears once in an order. A favourite that is not sold any more is replaced by what is popular.
    """
    popularity = catalogue.cumulative_popularity(day, month)
    is_member = traits.loyal_from[buyers] <= day
    extra_lines = traits.extra_lines[buyers] * np.where(is_member, parameters.loyalty_basket_lift, 1.0)
    extra_lines *= basket_factor(parameters, day)
    lines = 1 + np.minimum(rng.poisson(extra_lines), MAX_LINES - 1)
    order = np.repeat(np.arange(buyers.size), lines)
    favourite = rng.random(order.size) < parameters.favourite_share
    by_popularity = np.searchsorted(popularity, rng.random(order.size) * popularity[-1], side="right")
    by_popularity = np.minimum(by_popularity, popularity.size - 1)
    by_taste = traits.favourites[buyers[order], rng.integers(0, FAVOURITES, order.size)]
    product = np.where(favourite & (catalogue.retired[by_taste] > day), by_taste, by_popularity)
    order, product = np.divmod(np.unique(order * _PRODUCT_KEY + product), _PRODUCT_KEY)

    is_sale = month == 1 or bool(is_holiday(parameters, day))
    of_staff = traits.account[buyers[order]] == STAFF
    discount = np.where(of_staff, STAFF_DISCOUNT_PERCENT, _discount_percent(rng, order.size, is_sale))
    list_price_cents = catalogue.list_price_cents(catalogue.revisions(day))[product]
    sold = Orders(
        day=np.full(buyers.size, day),
        second=opening_seconds(rng, buyers.size),
        customer=buyers,
        is_return=np.zeros(buyers.size, dtype=np.bool_),
        order=order,
        product=product,
        quantity=_units(rng, parameters, traits.extra_units[buyers], order),
        price_cents=np.maximum(list_price_cents * (100 - discount) // 100, 1),
    )
    return Orders.joined([sold, _returns(rng, parameters, sold)])


def _units(
    rng: np.random.Generator, parameters: SimulatorParameters, extra_units: FloatArray, order: IntArray
) -> IntArray:
    """The units of every line: those of a bulk order are multiplied by a factor with a Pareto tail."""
    is_bulk = rng.random(extra_units.size) < parameters.bulk_share
    factor = np.minimum(BULK_LEAST * rng.random(extra_units.size) ** (-1 / BULK_TAIL), BULK_MOST)
    units = 1 + rng.poisson(extra_units[order])
    return np.where(is_bulk[order], np.rint(units * factor[order]), units).astype(np.int64)


def _discount_percent(rng: np.random.Generator, size: int, is_sale: bool) -> IntArray:
    """A few promotions all year; a sale, as in January, takes a fifth off more than a third of the lines."""
    share, percent = (0.35, 20) if is_sale else (0.08, 10)
    return np.where(rng.random(size) < share, percent, 0)


def _returns(rng: np.random.Generator, parameters: SimulatorParameters, sold: Orders) -> Orders:
    """Return orders: some lines of some orders, at the price paid, on a later day."""
    returned = rng.random(sold.day.size) < parameters.return_rate
    first_line = np.diff(sold.order, prepend=-1) > 0
    lines = returned[sold.order] & (first_line | (rng.random(sold.order.size) < 0.4))
    units = 1 + (rng.random(sold.order.size) * sold.quantity).astype(np.int64)
    back = np.flatnonzero(returned)
    position = np.cumsum(returned) - 1
    low, high = RETURN_LAG_DAYS
    return Orders(
        day=sold.day[back] + rng.integers(low, high + 1, back.size),
        second=opening_seconds(rng, back.size),
        customer=sold.customer[back],
        is_return=np.ones(back.size, dtype=np.bool_),
        order=position[sold.order[lines]],
        product=sold.product[lines],
        quantity=-units[lines],
        price_cents=sold.price_cents[lines],
    )
