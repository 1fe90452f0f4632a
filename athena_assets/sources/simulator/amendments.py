"""Orders that are delivered again some nights later, corrected: another quantity, another price, or a line less."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from athena_assets.sources.simulator.baskets import Orders
from athena_assets.sources.simulator.dispatch import DeliveredOrders
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import Block
from athena_assets.sources.simulator.scenarios import after_outage
from athena_assets.sources.simulator.streams import Purpose, stream

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

CORRECTED_NIGHTS = (1, 10)
"""Fewest and most nights from the delivery of an order to that of its correction."""
CANCELLED, RECOUNTED = 0.3, 0.65
"""Below the first, one of several lines is cancelled; below the second a quantity changes; else a price falls."""


@dataclass(frozen=True)
class _Chosen:
    """Orders to correct: their places among the delivered ones, and five uniforms each."""

    place: IntArray
    uniform: FloatArray

    def where(self, kept: npt.NDArray[np.bool_] | IntArray) -> "_Chosen":
        return _Chosen(self.place[kept], self.uniform[kept])


def with_corrections(parameters: SimulatorParameters, block: Block, delivered: DeliveredOrders) -> DeliveredOrders:
    """The delivered orders and, under the same numbers and days, the corrections that the nights deliver.

    Deterministic in its arguments; an order's own draws do not depend on how many follow it. All else stays as it is.
    """
    chosen = _chosen(parameters, block, delivered)
    low, high = CORRECTED_NIGHTS
    day = delivered.day[chosen.place] + low + (chosen.uniform[:, 0] * (high + 1 - low)).astype(np.int64)
    day = after_outage(parameters, day, chosen.uniform[:, 1])
    order = np.argsort(day, kind="stable")[: np.count_nonzero(day < parameters.days)]
    chosen, day = chosen.where(order), day[order]
    if not chosen.place.size:
        return delivered
    corrected = _amended(delivered.orders, chosen)
    place = np.searchsorted(delivered.day, day, side="right")
    return DeliveredOrders(
        _inserted(delivered.orders, corrected, place),
        np.insert(delivered.day, place, day),
        np.insert(delivered.number, place, delivered.number[chosen.place]),
    )


def _chosen(parameters: SimulatorParameters, block: Block, delivered: DeliveredOrders) -> _Chosen:
    numbers = int(delivered.number.max(initial=-1)) + 1
    is_chosen = stream(parameters.seed, Purpose.CORRECTED, block.index).random(numbers) < parameters.correction_share
    chosen = np.flatnonzero(is_chosen)
    uniform = stream(parameters.seed, Purpose.CORRECTION, block.index).random((chosen.size, 5))
    place = np.full(numbers, -1)
    place[delivered.number] = np.arange(delivered.number.size)
    found = _Chosen(place[chosen], uniform)
    return found.where(found.place >= 0)


def _amended(orders: Orders, chosen: _Chosen) -> Orders:
    """The chosen orders, each with one line changed or taken away; money stays positive but for returns."""
    start, end = (np.searchsorted(orders.order, chosen.place + after) for after in (0, 1))
    count = end - start
    first = np.cumsum(count) - count
    order = np.repeat(np.arange(count.size), count)
    line = np.arange(order.size) - first[order] + start[order]
    quantity, price = orders.quantity[line], orders.price_cents[line]
    which, what, how_much = chosen.uniform[:, 2], chosen.uniform[:, 3], chosen.uniform[:, 4]
    changed = first + (which * count).astype(np.int64)
    cancelled = (what < CANCELLED) & (count > 1)
    recounted = ~cancelled & (what < RECOUNTED)
    units = np.abs(quantity[changed])
    fewer = np.where(units > 1, 1 + (how_much * (units - 1)).astype(np.int64), 2)
    quantity[changed] = np.where(recounted, np.sign(quantity[changed]) * fewer, quantity[changed])
    lower = price[changed] * (95 - (how_much * 20).astype(np.int64)) // 100
    lower = np.where(lower > 0, lower, price[changed] + 1)
    price[changed] = np.where(cancelled | recounted, price[changed], lower)
    kept = np.ones(order.size, dtype=np.bool_)
    kept[changed[cancelled]] = False
    return Orders(
        day=orders.day[chosen.place],
        second=orders.second[chosen.place],
        customer=orders.customer[chosen.place],
        is_return=orders.is_return[chosen.place],
        order=order[kept],
        product=orders.product[line][kept],
        quantity=quantity[kept],
        price_cents=price[kept],
    )


def _inserted(orders: Orders, more: Orders, place: IntArray) -> Orders:
    """The orders with more of them, ascending, before those at `place`."""
    before = np.searchsorted(orders.order, place)[more.order]
    moved = (np.arange(orders.day.size) + np.searchsorted(place, np.arange(orders.day.size), side="right"))[
        orders.order
    ]
    return Orders(
        day=np.insert(orders.day, place, more.day),
        second=np.insert(orders.second, place, more.second),
        customer=np.insert(orders.customer, place, more.customer),
        is_return=np.insert(orders.is_return, place, more.is_return),
        order=np.insert(moved, before, (place + np.arange(place.size))[more.order]),
        product=np.insert(orders.product, before, more.product),
        quantity=np.insert(orders.quantity, before, more.quantity),
        price_cents=np.insert(orders.price_cents, before, more.price_cents),
    )
