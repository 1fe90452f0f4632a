"""When an order is delivered: with its own night, late, or after an outage."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from athena_assets.sources.simulator.baskets import Orders
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import CHANNELS, Block, Traits
from athena_assets.sources.simulator.scenarios import after_outage
from athena_assets.sources.simulator.streams import Purpose, stream

IntArray = npt.NDArray[np.int64]

LATE_NIGHTS = (1, 5)
"""Fewest and most nights that an order of a till without connection comes late."""


@dataclass(frozen=True)
class DeliveredOrders:
    """Orders in the order of their delivery: `day` is the simulation day whose night delivers each, ascending;
    `number` counts them in the order of time."""

    orders: Orders
    day: IntArray
    number: IntArray


def dispatched(parameters: SimulatorParameters, block: Block, traits: Traits, orders: Orders) -> DeliveredOrders:
    """The orders of a block that the nights up to the last one deliver.

    Deterministic in its arguments; more days change nothing about the nights before them.
    """
    by_time = np.argsort(orders.day * 86_400 + orders.second, kind="stable")
    by_time = by_time[orders.day[by_time] < parameters.days]
    day = orders.day[by_time] + _nights_late(parameters, block, traits.channel[orders.customer[by_time]])
    day = after_outage(parameters, day, stream(parameters.seed, Purpose.OUTAGE, block.index).random(day.size))
    number = np.argsort(day, kind="stable")[: np.count_nonzero(day < parameters.days)]
    return DeliveredOrders(orders.selected(by_time[number]), day[number], number)


def _nights_late(parameters: SimulatorParameters, block: Block, channel: IntArray) -> IntArray:
    """How many nights late each order comes, mostly none; `channel` of every order in the order of time."""
    # One row of uniforms per order, so that an order's own draws do not depend on how many follow it.
    uniform = stream(parameters.seed, Purpose.LATE, block.index).random((channel.size, 2))
    low, high = LATE_NIGHTS
    is_late = (uniform[:, 0] < parameters.late_till_share) & (channel == CHANNELS.index("store"))
    return np.where(is_late, low + (uniform[:, 1] * (high + 1 - low)).astype(np.int64), 0)
