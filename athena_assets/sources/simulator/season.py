"""The retailer's calendar: how much is bought on a day, relative to an average day."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

REGULAR, GIFT_SHOPPER = 0, 1
"""The two season kinds of a customer; rows of `RetailCalendar.season`."""

GIFT_SHOPPER_SHARPNESS = 2.2
"""Exponent that turns the yearly curve into that of somebody who buys mainly presents."""

_WEEKDAY = np.array([0.95, 0.92, 0.95, 1.05, 1.18, 1.25, 0.70])

# (month, day, level): linear in between, closed over the year; levels are relative and normalised later.
_YEAR_ANCHORS = (
    (1, 1, 0.55),
    (1, 20, 0.50),
    (2, 15, 0.65),
    (4, 1, 0.85),
    (6, 1, 0.90),
    (7, 20, 0.80),
    (9, 1, 0.95),
    (10, 15, 1.10),
    (11, 10, 1.70),
    (12, 1, 2.60),
    (12, 16, 2.60),
    (12, 23, 1.20),
    (12, 25, 0.15),
    (12, 28, 0.60),
)
_COMMON_YEAR = 2001  # any year without a 29 February; leap days take the level of 28 February


@dataclass(frozen=True)
class RetailCalendar:
    """Per simulation day: `season[kind, t]` (mean about one over a year), `demand[kind, t]`, the season times what a
    scenario adds, and `month[t]`."""

    first_day: date
    season: FloatArray
    demand: FloatArray
    month: npt.NDArray[np.int64]

    @classmethod
    def build(cls, first_day: date, days: int, strength: float, factor: FloatArray | float = 1.0) -> "RetailCalendar":
        """Cover `days` days from `first_day`; `strength` is the exponent on the yearly curve, `factor` the scenario's
        factor on the demand of each day."""
        dates = [first_day + timedelta(days=t) for t in range(days)]
        position = np.array([_day_of_common_year(d) for d in dates])
        weekday = _WEEKDAY[[d.weekday() for d in dates]] / _WEEKDAY.mean()
        curve = _yearly_curve()
        kinds = [curve**strength, curve ** (strength * GIFT_SHOPPER_SHARPNESS)]
        season = np.stack([(kind / kind.mean())[position] * weekday for kind in kinds])
        month = np.array([d.month for d in dates])
        return cls(first_day=first_day, season=season, demand=season * factor, month=month)


def _day_of_common_year(day: date) -> int:
    if (day.month, day.day) == (2, 29):
        day = day - timedelta(days=1)
    return date(_COMMON_YEAR, day.month, day.day).timetuple().tm_yday - 1


def _yearly_curve() -> FloatArray:
    """The 365 relative levels, first of January first."""
    at = [_day_of_common_year(date(_COMMON_YEAR, month, day)) for month, day, _ in _YEAR_ANCHORS]
    levels = [level for _, _, level in _YEAR_ANCHORS]
    return np.interp(np.arange(365), at, levels, period=365)
