"""What a model must beat to have earned its place: plain logistic regressions on log features.

One on recency, one on frequency, one on everything; each sees the same training rows as the model, has one intercept
and an all but vanishing penalty, and so also shows what a model that averages the past does to the level.
"""

from dataclasses import dataclass

import numpy as np

from athena_assets.lifecycle.dataset import Dataset, FloatArray, Matrix
from athena_assets.lifecycle.linear import LinearPart, fit_with_intercepts
from athena_assets.lifecycle.logistic import sigmoid
from athena_assets.lifecycle.model_spec import ModelSpec

L2 = 1.0
"""scikit-learn's default strength (C = 1)."""


@dataclass(frozen=True)
class Baseline:
    """A fitted baseline."""

    name: str
    part: LinearPart
    intercept: float

    def probability(self, matrix: Matrix) -> FloatArray:
        """Probability (rows,)."""
        return sigmoid(self.part.score(matrix) + self.intercept)


def fit_baselines(data: Dataset, spec: ModelSpec) -> tuple[Baseline, ...]:
    """The baselines that the model declares, in its order."""
    # Day of year and length of record would be extrapolated along a straight line; no fair opponent does that.
    level_only = {spec.season.day_of_year_feature, spec.season.history_feature}
    everything = tuple(name for name in data.features if name not in level_only)
    return tuple(
        fit_baseline(data, name, everything if isinstance(features, str) else features, threads=spec.algorithm.threads)
        for name, features in spec.baselines.items()
    )


def fit_baseline(data: Dataset, name: str, names: tuple[str, ...], *, threads: int = 1) -> Baseline:
    """One baseline on the named features."""
    columns = np.array([data.features.index(feature) for feature in names], dtype=np.int64)
    part, (intercept,) = fit_with_intercepts(
        data, columns, np.ones((len(data), 1)), l2=L2, intercept_penalty=0.0, threads=threads
    )
    return Baseline(name, part, float(intercept))
