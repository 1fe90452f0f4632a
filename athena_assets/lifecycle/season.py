"""How high the level of churn is on a day that has not come yet.

The ranking of customers carries over from the past; the level does not. At the real retailer it moved between 0.42
in September and 0.67 in December, so a model that averages the past is off by more than 0.1. Three questions,
answered apart:

*What can be compared?* The share that churned differs between snapshots because the season differs and because the
customers do. Fixed effects (one intercept per snapshot, given the features) separate the two only if a feature
means the same in every snapshot, and it does not where the record was still short: with 180 days of record nobody
has a tenure of 300 days, so old customers pass for new ones, and the early snapshots seem to churn too little. On
the real record this bias reached 0.6 logits, as much as the season. So the levels come from a *level model*: a
logistic regression on the `comparable_features` alone, whose windows are no longer than the shortest record of a
snapshot.

*What is the level at a new day?* `LevelPrior` is a Gaussian process over the snapshots' levels: a periodic part
(the same day of another year tells, and so do its neighbours within about half a label window), a slow trend (this
year need not be like last year), and noise that grows with the part of the year that a snapshot's record lacked,
because comparable features only reduce that bias. A day whose season was never seen falls back to the mean level
plus the trend; nothing better can be estimated, and the model's calibration gate is there to say so.

*What does it mean for the full model?* Direct standardisation: the level model says what share of a reference
population (customers of the snapshots with the longest record) would churn on that day; the full model's intercept
for that day is the one that gives them the same mean. The population of the night may differ; both models see that
through its features.

The curve covers the 366 days of the year that follows the last snapshot. Numbers in `model.yaml` under `season`, in
logits and days: `season_sd`, `season_length_days`, `trend_sd`, `trend_length_days`, `noise_sd`, `censoring_sd`.
They were chosen on development snapshots (docs/benchmarks.md).
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.dataset import Dataset, FloatArray, Matrix
from athena_assets.lifecycle.linear import LinearPart, fit_linear
from athena_assets.lifecycle.logistic import sigmoid
from athena_assets.lifecycle.model_spec import Season

DAYS_IN_TABLE = 366
YEAR_DAYS = 365.25
FULL_HISTORY_DAYS = 365
LEVEL_L2 = 30.0
REFERENCE_ROWS = 20_000
"""Enough for a mean to within 0.0001 of the population's."""


class LevelNotFound(AthenaError):
    """The model's intercept for a day cannot be found."""


@dataclass(frozen=True)
class LevelPrior:
    """The Gaussian process; standard deviations in logits, lengths in days."""

    season_sd: float
    season_length_days: float
    trend_sd: float
    trend_length_days: float
    noise_sd: float
    censoring_sd: float

    @classmethod
    def of(cls, season: Season) -> "LevelPrior":
        """The numbers a model declares."""
        return cls(
            season.season_sd,
            season.season_length_days,
            season.trend_sd,
            season.trend_length_days,
            season.noise_sd,
            season.censoring_sd,
        )

    def predict(
        self, days: FloatArray, levels: FloatArray, history_days: FloatArray, targets: FloatArray
    ) -> FloatArray:
        """Expected level at `targets` (all days counted from one origin), given the levels of the snapshots."""
        lacking = 1.0 - np.minimum(history_days, FULL_HISTORY_DAYS) / FULL_HISTORY_DAYS
        noise = self.noise_sd**2 + (self.censoring_sd * lacking) ** 2
        covariance = self._covariance(days, days) + np.diag(noise)
        ones = np.ones(len(days))
        solved = np.linalg.solve(covariance, np.column_stack([ones, levels]))
        # The mean level is estimated too (generalised least squares), rather than assumed to be 0.
        mean = (ones @ solved[:, 1]) / (ones @ solved[:, 0])
        predicted: FloatArray = mean + self._covariance(targets, days) @ (solved[:, 1] - mean * solved[:, 0])
        return predicted

    def _covariance(self, one: FloatArray, other: FloatArray) -> FloatArray:
        apart = one[:, None] - other[None, :]
        turn = 2.0 * np.pi * self.season_length_days / YEAR_DAYS
        # MacKay's periodic kernel: near the diagonal a Gaussian of the given length.
        periodic = np.exp(-2.0 * np.sin(np.pi * apart / YEAR_DAYS) ** 2 / turn**2)
        trend = np.exp(-0.5 * (apart / self.trend_length_days) ** 2)
        covariance: FloatArray = self.season_sd**2 * periodic + self.trend_sd**2 * trend
        return covariance


@dataclass(frozen=True)
class LevelModel:
    """The level model: a score on comparable features, and the level of each training snapshot."""

    part: LinearPart
    snapshots: tuple[datetime, ...]
    levels: FloatArray
    history_days: FloatArray
    prior: LevelPrior

    def curve(self) -> FloatArray:
        """Level on each day of the year (366,), at its next occurrence after the last snapshot."""
        origin = self.snapshots[-1]
        days = np.array([(snapshot - origin).days for snapshot in self.snapshots], dtype=np.float64)
        return self.prior.predict(days, self.levels, self.history_days, _next_occurrence(origin))


def fit_level_model(data: Dataset, season: Season, *, threads: int = 1) -> LevelModel:
    """Fit the level model on the stacked snapshots."""
    columns = np.array(
        [data.features.index(name) for name in season.comparable_features if name in data.features], dtype=np.int64
    )
    if not len(columns):
        raise LevelNotFound(
            "none of the comparable features is available",
            expected=", ".join(season.comparable_features),
            found=", ".join(data.features),
            next_command="list windows that the source can fill under season.comparable_features",
        )
    part, levels = fit_linear(data, columns, l2=LEVEL_L2, threads=threads)
    history = data.column(season.history_feature)
    seen = np.array([history[data.groups == group][0] for group in range(len(levels))])
    return LevelModel(part, data.snapshots, levels, seen, LevelPrior.of(season))


def standardise(level: LevelModel, data: Dataset, margin_of: Callable[[Matrix], FloatArray]) -> FloatArray:
    """Intercept of the full model for each day of the year (366,).

    margin_of: the full model's score without intercept, (rows,) of rows of `data`. Raises `LevelNotFound`.
    """
    reference = data.matrix[_reference_rows(data, level)]
    own, full = level.part.score(reference), margin_of(reference)
    return np.array([_intercept(full, float(sigmoid(own + shift).mean())) for shift in level.curve()])


def _reference_rows(data: Dataset, level: LevelModel) -> NDArray[np.int64]:
    longest = level.history_days == level.history_days.max()
    rows = np.flatnonzero(longest[data.groups])
    step = max(1, -(-len(rows) // REFERENCE_ROWS))
    return rows[::step]


def _intercept(margin: FloatArray, mean: float) -> float:
    """The shift c with mean(sigmoid(margin + c)) = mean: bisection, because the mean is monotone in c."""
    if not 0.0 < mean < 1.0:
        raise LevelNotFound("a level of churn", expected="a share between 0 and 1", found=str(mean))
    low, high = -30.0 - float(margin.max()), 30.0 - float(margin.min())
    shift = float(np.log(mean / (1.0 - mean)) - margin.mean())
    for _ in range(100):
        probability = sigmoid(margin + shift)
        error = float(probability.mean()) - mean
        if abs(error) < 1e-12:
            return shift
        low, high = (low, shift) if error > 0 else (shift, high)
        slope = float((probability * (1.0 - probability)).mean())
        newton = shift - error / slope if slope > 0 else low
        # Newton where it stays inside the bracket, halving where it does not.
        shift = newton if low < newton < high else (low + high) / 2
    return shift


def _next_occurrence(origin: datetime) -> FloatArray:
    """Days from `origin` to the next day with each day-of-year 1..366; strictly after it.

    Day 366 exists in leap years only; in others it stands for the day after day 365.
    """
    found = np.full(DAYS_IN_TABLE, np.nan)
    for ahead in range(1, 367):
        position = (origin + timedelta(days=ahead)).timetuple().tm_yday - 1
        if np.isnan(found[position]):
            found[position] = ahead
    if np.isnan(found[365]):
        found[365] = found[364] + 1
    return found
