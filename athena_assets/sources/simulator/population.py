"""Who the customers are: when they arrive and the hidden traits that never change."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from athena_assets.sources.simulator.catalogue import CATEGORIES, Catalogue
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.season import REGULAR, FloatArray, RetailCalendar
from athena_assets.sources.simulator.streams import Purpose, stream

IntArray = npt.NDArray[np.int64]

BLOCK_CUSTOMERS = 65_536
"""Customers simulated together. Part of the output's bytes: random streams are per block."""

DAYS_PER_YEAR = 365.25
BASE_ENTRY = -1
"""Entry day of a customer who was there before the first day."""
MAX_BASE_AGE_DAYS = 3_650
FAVOURITES = 8
HOME_CATEGORY_SHARE = 0.7
"""Share of a customer's favourites that come from one category."""

SHOPPER, STAFF, BOT = 0, 1, 2
"""What an account is; rows of the three below."""
_FIXED_PURCHASES_PER_YEAR = np.array([np.nan, 45.0, 180.0])
_FIXED_EXTRA_LINES = np.array([np.nan, 0.5, 12.0])
_FIXED_EXTRA_UNITS = np.array([np.nan, 0.2, 4.0])
NEVER_A_MEMBER = 10**9

CHANNELS = ("web", "app", "store")
COUNTRIES = ("United Kingdom", "Germany", "France", "Ireland", "Netherlands")
_COUNTRY_SHARE = np.array([0.78, 0.08, 0.06, 0.05, 0.03])


@dataclass(frozen=True)
class Segment:
    """How a hidden segment answers a campaign: factors on purchase rate and dropout hazard for 14 days."""

    name: str
    share: float
    purchase_lift: float
    dropout_lift: float
    channel_share: tuple[float, float, float]


# Shares of channels differ between segments, so that uplift can be learnt from what is observed.
SEGMENTS = (
    Segment("sure_thing", 0.30, 1.10, 1.0, (0.50, 0.25, 0.25)),
    Segment("persuadable", 0.30, 2.20, 0.5, (0.25, 0.65, 0.10)),
    Segment("lost_cause", 0.30, 1.00, 1.0, (0.60, 0.15, 0.25)),
    Segment("sleeping_dog", 0.10, 0.70, 2.0, (0.15, 0.05, 0.80)),
)
PURCHASE_LIFT = np.array([segment.purchase_lift for segment in SEGMENTS])
DROPOUT_LIFT = np.array([segment.dropout_lift for segment in SEGMENTS])


@dataclass(frozen=True)
class Block:
    """A contiguous range of customers; `entry[j]` is the simulation day of arrival, ascending."""

    index: int
    first_customer: int
    entry: IntArray


@dataclass(frozen=True)
class Traits:
    """Hidden constants of a block's customers, one entry each; rates are per day.

    `purchase_rate` is that before the loyalty scheme; `loyal_from` the simulation day of joining it, or
    `NEVER_A_MEMBER`.
    """

    registered: IntArray
    account: IntArray
    loyal_from: IntArray
    purchase_rate: FloatArray
    dropout_rate: FloatArray
    season_kind: IntArray
    segment: IntArray
    channel: IntArray
    country: IntArray
    extra_lines: FloatArray
    extra_units: FloatArray
    favourites: IntArray


def blocks(parameters: SimulatorParameters, calendar: RetailCalendar) -> Iterator[Block]:
    """The customers of the history in blocks, then those of the nights in blocks of their own.

    Splitting there keeps the history's blocks, and so its bytes, apart from the number of nights.
    """
    history, nights = _entries(parameters, calendar)
    index = 0
    for offset, entry in ((0, history), (history.size, nights)):
        for start in range(0, entry.size, BLOCK_CUSTOMERS):
            yield Block(index, offset + start, entry[start : start + BLOCK_CUSTOMERS])
            index += 1


def _entries(parameters: SimulatorParameters, calendar: RetailCalendar) -> tuple[IntArray, IntArray]:
    horizon = parameters.history_days
    # Equilibrium: arrivals per day times mean lifetime is the number alive, which is the base.
    base = round(parameters.customers / (1 + horizon / (parameters.lifetime_years * DAYS_PER_YEAR)))
    arrivals = parameters.customers - base
    season = calendar.season[REGULAR]
    weight = season[:horizon] / season[:horizon].sum()
    per_day = stream(parameters.seed, Purpose.ARRIVALS).multinomial(arrivals, weight)
    history = np.concatenate([np.full(base, BASE_ENTRY), np.repeat(np.arange(horizon), per_day)])
    nightly = []
    for day in range(horizon, parameters.days):
        # A night without a new customer would be a delivery without that table, hence at least one.
        expected = max(arrivals / horizon * season[day] - 1, 0.0)
        count = 1 + int(stream(parameters.seed, Purpose.NIGHT_ARRIVALS, day).poisson(expected))
        nightly.append(np.full(count, day))
    return history, np.concatenate([np.empty(0, dtype=np.int64), *nightly])


def draw_traits(parameters: SimulatorParameters, catalogue: Catalogue, block: Block) -> Traits:
    """The hidden traits of a block, each from a stream of its own: a longer block begins with the same ones."""
    size = block.entry.size

    def rng(trait: int) -> np.random.Generator:
        return stream(parameters.seed, Purpose.TRAIT, block.index, trait)

    is_base = block.entry == BASE_ENTRY
    shape = parameters.dropout_shape - is_base
    scale = 1 / ((parameters.dropout_shape - 1) * parameters.lifetime_years * DAYS_PER_YEAR)
    dropout_rate = np.maximum(rng(0).standard_gamma(shape) * scale, 1e-9)
    age = np.minimum(rng(1).standard_exponential(size) / dropout_rate, MAX_BASE_AGE_DAYS).astype(np.int64)
    rate_scale = parameters.purchases_per_year / DAYS_PER_YEAR / parameters.purchase_shape
    segment = _pick(rng(2), np.tile([s.share for s in SEGMENTS], (size, 1)))
    channel_share = np.array([s.channel_share for s in SEGMENTS])
    sigma = parameters.basket_sigma
    # exp(sigma z - sigma^2 / 2) has mean one, so that the parameters stay the means.
    lines_factor = np.exp(sigma * rng(6).standard_normal(size) - sigma**2 / 2)
    units_factor = np.exp(sigma * rng(7).standard_normal(size) - sigma**2 / 2)
    registered = np.where(is_base, -1 - age, block.entry)
    share = [1 - parameters.staff_share - parameters.bot_share, parameters.staff_share, parameters.bot_share]
    account = _pick(rng(10), np.tile(share, (size, 1)))

    def of_account(shoppers: FloatArray, fixed: FloatArray) -> FloatArray:
        return np.where(account == SHOPPER, shoppers, fixed[account])

    purchase_rate = rng(3).standard_gamma(parameters.purchase_shape, size) * rate_scale
    return Traits(
        registered=registered,
        account=account,
        loyal_from=_joins(rng(11), parameters, registered, account),
        purchase_rate=of_account(purchase_rate, _FIXED_PURCHASES_PER_YEAR / DAYS_PER_YEAR),
        dropout_rate=dropout_rate,
        season_kind=(rng(4).random(size) < parameters.gift_shopper_share).astype(np.int64),
        segment=segment,
        channel=_pick(rng(5), channel_share[segment]),
        country=_pick(rng(8), np.tile(_COUNTRY_SHARE, (size, 1))),
        extra_lines=of_account((parameters.lines_per_order - 1) * lines_factor, _FIXED_EXTRA_LINES),
        extra_units=of_account((parameters.units_per_line - 1) * units_factor, _FIXED_EXTRA_UNITS),
        favourites=_favourites(rng(9), catalogue, size),
    )


def _joins(
    rng: np.random.Generator, parameters: SimulatorParameters, registered: IntArray, account: IntArray
) -> IntArray:
    """The day on which each customer joins the loyalty scheme; staff and bots do not."""
    waits = rng.standard_exponential(registered.size) * DAYS_PER_YEAR
    if parameters.loyalty_joins_per_year == 0:
        return np.full(registered.size, NEVER_A_MEMBER)
    joined = registered + 1 + np.minimum(waits / parameters.loyalty_joins_per_year, NEVER_A_MEMBER).astype(np.int64)
    return np.where((account == SHOPPER) & (joined < NEVER_A_MEMBER), joined, NEVER_A_MEMBER)


def _pick(rng: np.random.Generator, share: FloatArray) -> IntArray:
    """One category per row of `share` (rows sum to one)."""
    edges = share.cumsum(axis=1)[:, :-1]
    picked: IntArray = (rng.random((share.shape[0], 1)) >= edges).sum(axis=1)
    return picked


def _favourites(rng: np.random.Generator, catalogue: Catalogue, size: int) -> IntArray:
    """(size, FAVOURITES) products of the base, by popularity, most from one home category per customer."""
    running, edges = catalogue.base_bounds()
    # One row of uniforms per customer keeps the draws of a customer independent of the block's length.
    uniform = rng.random((size, 1 + 2 * FAVOURITES))
    home = (uniform[:, :1] * len(CATEGORIES)).astype(np.int64)
    at_home = uniform[:, 1 : 1 + FAVOURITES] < HOME_CATEGORY_SHARE
    low = np.where(at_home, running[edges[home]], 0.0)
    high = np.where(at_home, running[edges[home + 1]], running[-1])
    mass = low + uniform[:, 1 + FAVOURITES :] * (high - low)
    return np.clip(np.searchsorted(running, mass, side="right") - 1, 0, catalogue.base - 1)
