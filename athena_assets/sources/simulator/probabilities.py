"""The model's own probabilities, from the hidden state: what a perfect forecaster would say."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class HiddenState:
    """The state of some customers, all still customers, at the start of a day; one entry each.

    Rates per day. Lifts act up to and including simulation day `lifted_until`.
    """

    purchase_rate: FloatArray
    dropout_rate: FloatArray
    season_kind: IntArray
    grievance: FloatArray
    purchase_lift: FloatArray
    dropout_lift: FloatArray
    lifted_until: IntArray


def no_purchase_probability(
    state: HiddenState,
    season: FloatArray,
    *,
    first_day: IntArray,
    days: int,
    grievance_hazard: float,
    grievance_decay: float,
) -> FloatArray:
    """Probability of no order on simulation days `first_day` ... `first_day + days - 1`, one each.

    Exact for the state as it is; complaints and campaigns that have yet to happen are left out, which no
    closed form includes. Follows the two ways to stay silent: leave first, or stay and buy nothing.

    `season` is (kinds, simulation days) and must cover the window.
    """
    silent_customer = np.ones(state.purchase_rate.size)
    silent_left = np.zeros(state.purchase_rate.size)
    grievance = state.grievance.copy()
    for offset in range(days):
        day = first_day + offset
        lifted = day <= state.lifted_until
        rate = state.purchase_rate * season[state.season_kind, day] * np.where(lifted, state.purchase_lift, 1.0)
        hazard = state.dropout_rate * (1 + grievance_hazard * grievance) * np.where(lifted, state.dropout_lift, 1.0)
        silent_customer *= np.exp(-rate)
        stays = np.exp(-hazard)
        silent_left += silent_customer * (1 - stays)
        silent_customer *= stays
        grievance *= grievance_decay
    return silent_customer + silent_left
