"""A fitted model in memory: linear score, trees, and a level for each day of the year.

    probability = sigmoid( linear(x) + tree_scale · trees(x) + level[day of year] )

Scale and calibration slope are already multiplied into the linear weights and `tree_scale`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.dataset import FloatArray, Matrix
from athena_assets.lifecycle.linear import LinearPart
from athena_assets.lifecycle.logistic import sigmoid
from athena_assets.lifecycle.pieces import in_pieces
from athena_assets.lifecycle.season import DAYS_IN_TABLE
from athena_assets.lifecycle.trees import load_booster, tree_margin

if TYPE_CHECKING:
    import xgboost


class InvalidDayOfYear(AthenaError):
    """A row's day of the year is no day of a year, so it has no level."""


@dataclass(frozen=True)
class Ranking:
    """The part that says who is more likely than whom: a score in logits without a level."""

    linear: LinearPart
    trees: bytes
    """XGBoost's own UBJ."""
    tree_columns: NDArray[np.int64]
    """Positions in the feature list of the columns that the trees read."""
    tree_scale: float
    threads: int = 1

    @cached_property
    def booster(self) -> "xgboost.Booster":
        """The trees, loaded once; for one thread, because threads share the rows."""
        return load_booster(self.trees)

    def margin(self, matrix: Matrix) -> FloatArray:
        """Score (rows,), in logits, level excluded."""
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        booster = self.booster

        def of(rows: slice) -> FloatArray:
            part = matrix[rows]
            margin: FloatArray = self.linear.score(part) + self.tree_scale * tree_margin(
                booster, part[:, self.tree_columns]
            )
            return margin

        # One thread of BLAS each, as in `fit_logistic`.
        with threadpool_limits(1, user_api="blas"):
            return np.concatenate([np.empty(0), *in_pieces(of, len(matrix), threads=self.threads)])

    def scaled(self, factor: float) -> "Ranking":
        """The same ranking, steeper or flatter."""
        return Ranking(
            self.linear.scaled(factor), self.trees, self.tree_columns, self.tree_scale * factor, self.threads
        )

    def rounded(self) -> "Ranking":
        """Constants at the precision that the portable model keeps, so that the two agree."""
        linear = LinearPart(self.linear.transform, _single(self.linear.weight), _single(self.linear.missing_weight))
        scale = float(np.float32(self.tree_scale))
        return Ranking(linear, self.trees, self.tree_columns, scale, self.threads)


@dataclass(frozen=True)
class FittedModel:
    """What a recipe returns and an artifact holds."""

    features: tuple[str, ...]
    ranking: Ranking
    level: FloatArray
    """Intercept per day of the year (366,), in logits."""
    day_column: int
    """Position of the day of the year in the feature list."""
    parameters: Mapping[str, float | int] = field(default_factory=dict)
    notes: Mapping[str, object] = field(default_factory=dict)
    """What the fit found out, JSON-serialisable: slope, levels per snapshot."""

    def margin(self, matrix: Matrix) -> FloatArray:
        """Logit of the probability (rows,); raises `InvalidDayOfYear`."""
        return self.ranking.margin(matrix) + self.level[self._positions(matrix)]

    def probability(self, matrix: Matrix) -> FloatArray:
        """Probability (rows,); matrix: (rows, features) in the order of `features`."""
        return sigmoid(self.margin(matrix))

    def _positions(self, matrix: Matrix) -> NDArray[np.int64]:
        days = matrix[:, self.day_column]
        if not ((days >= 1) & (days <= DAYS_IN_TABLE)).all():
            wrong = days[~((days >= 1) & (days <= DAYS_IN_TABLE))][0]
            raise InvalidDayOfYear(
                f"feature {self.features[self.day_column]}", expected=f"1 to {DAYS_IN_TABLE}", found=str(wrong)
            )
        return days.astype(np.int64) - 1


def fitted_model(
    features: tuple[str, ...],
    ranking: Ranking,
    level: FloatArray,
    *,
    day_of_year_feature: str,
    parameters: Mapping[str, float | int],
    notes: Mapping[str, object],
) -> FittedModel:
    """Put the parts together at the precision of the portable model."""
    return FittedModel(
        features, ranking.rounded(), _single(level), features.index(day_of_year_feature), dict(parameters), notes
    )


def _single(values: FloatArray) -> FloatArray:
    return values.astype(np.float32).astype(np.float64)
