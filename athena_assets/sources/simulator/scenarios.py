"""What can be made to happen to the retailer from a given day on: drift, a holiday week, an outage, a rename.

Each is off unless its day is given, and changes nothing about the days before it.
"""

from collections.abc import Mapping
from datetime import date

import numpy as np
import numpy.typing as npt

from athena_assets.sources.simulator.parameters import SimulatorParameters

IntArray = npt.NDArray[np.int64]

TOTAL_RENAMED: Mapping[str, str] = {"total_order_amount": "order_total_amount"}
"""The column that the order system calls otherwise from `rename_from` on: old name -> new."""
NEVER_DELIVERED = 10**9


def demand_factor(parameters: SimulatorParameters, days: int) -> npt.NDArray[np.float64]:
    """By how much purchase rates are multiplied on each of the first `days` simulation days; all ones without a
    scenario."""
    day = np.arange(days)
    factor = np.where(_since(parameters, parameters.drift_from, day), parameters.drift_purchases, 1.0)
    return factor * np.where(is_holiday(parameters, day), parameters.holiday_lift, 1.0)


def basket_factor(parameters: SimulatorParameters, day: int) -> float:
    """By how much the lines of an order beyond the first are multiplied on a simulation day."""
    return parameters.drift_basket if bool(_since(parameters, parameters.drift_from, day)) else 1.0


def is_holiday(parameters: SimulatorParameters, day: IntArray | int) -> npt.NDArray[np.bool_]:
    """Whether simulation days lie in the holiday week."""
    began = _since(parameters, parameters.holiday_from, day)
    return began & ~_since(parameters, parameters.holiday_from, np.asarray(day) - parameters.holiday_days)


def after_outage(parameters: SimulatorParameters, day: IntArray, uniform: npt.NDArray[np.float64]) -> IntArray:
    """The delivering nights of orders, those of the outage put off to its end, or `NEVER_DELIVERED`.

    uniform: one draw per order, which decides whether it is recovered.
    """
    if parameters.outage_from is None:
        return day
    first = (parameters.outage_from - parameters.first_day).days
    end = first + parameters.outage_nights
    put_off = np.where(uniform < parameters.outage_recovered, end, NEVER_DELIVERED)
    return np.where((day >= first) & (day < end), put_off, day)


def names_of_night(parameters: SimulatorParameters, table: str, night: date) -> Mapping[str, str]:
    """The columns that a night's delivery of a table calls otherwise: declared name -> delivered name."""
    if table != "orders" or parameters.rename_from is None or night < parameters.rename_from:
        return {}
    return TOTAL_RENAMED


def _since(parameters: SimulatorParameters, start: date | None, day: IntArray | int) -> npt.NDArray[np.bool_]:
    """Whether simulation days are `start` or later; never without a start."""
    if start is None:
        return np.zeros_like(day, dtype=np.bool_)
    return np.asarray(day) >= (start - parameters.first_day).days
