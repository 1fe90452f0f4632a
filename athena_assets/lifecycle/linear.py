"""A linear score on log features: transformed, clipped, standardised, with an indicator for "missing".

Money, counts and days are skewed, so each feature enters as sign(x)·log(1 + |x|), clipped to what training saw
between its 0.5 % and 99.5 % quantiles and standardised; a null becomes the mean plus an indicator of its own.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from athena_assets.lifecycle.dataset import Dataset, FloatArray, Matrix
from athena_assets.lifecycle.logistic import fit_logistic
from athena_assets.lifecycle.pieces import in_pieces

CLIP = 0.005
"""Share of the training values clipped at each end."""

INTERCEPT_PENALTY = 0.01
"""Keeps a snapshot in which everybody has the same label finite; nothing otherwise."""


@dataclass(frozen=True)
class LogTransform:
    """Fitted constants, each (used columns,); `columns` are positions in the feature list."""

    columns: NDArray[np.int64]
    lower: FloatArray
    upper: FloatArray
    mean: FloatArray
    scale: FloatArray

    def standardised(self, matrix: Matrix) -> FloatArray:
        """(rows, used columns); a null gives 0, the mean."""
        values = _signed_log(matrix[:, self.columns])
        # In place: on a night's millions of rows every copy is a pass through memory.
        np.clip(values, self.lower, self.upper, out=values)
        values -= self.mean
        values /= self.scale
        values[np.isnan(values)] = 0.0
        return values

    def missing(self, matrix: Matrix) -> FloatArray:
        """(rows, used columns); 1 where the value is null."""
        return np.isnan(matrix[:, self.columns]).astype(np.float64)


@dataclass(frozen=True)
class LinearPart:
    """Score = Σ weight × standardised value + Σ missing_weight × indicator; no intercept."""

    transform: LogTransform
    weight: FloatArray
    missing_weight: FloatArray

    def score(self, matrix: Matrix) -> FloatArray:
        """Linear score (rows,), in logits."""
        score: FloatArray = self.transform.standardised(matrix) @ self.weight
        ever = np.flatnonzero(self.missing_weight)
        score += np.isnan(matrix[:, self.transform.columns[ever]]) @ self.missing_weight[ever]
        return score

    def contributions(self, matrix: Matrix) -> FloatArray:
        """What each used column adds to the score (rows, used columns)."""
        values = self.transform.standardised(matrix) * self.weight
        contributions: FloatArray = values + self.transform.missing(matrix) * self.missing_weight
        return contributions

    def scaled(self, factor: float) -> "LinearPart":
        """The same score times a factor."""
        return LinearPart(self.transform, self.weight * factor, self.missing_weight * factor)


def fit_transform(matrix: Matrix, columns: NDArray[np.int64], *, threads: int = 1) -> LogTransform:
    """Constants from training rows; columns without two different values are left out.

    They are rounded to float32, which is what the portable model computes with. The threads share the columns.
    """
    with ThreadPoolExecutor(threads) as pool:
        found = list(pool.map(lambda column: _constants(matrix[:, column]), columns))
    kept = [int(column) for column, constants in zip(columns, found, strict=True) if constants is not None]
    constants = [each for each in found if each is not None]
    table = np.array(constants, dtype=np.float32).astype(np.float64).reshape(-1, 4)
    return LogTransform(np.array(kept, dtype=np.int64), *(table[:, i] for i in range(4)))


def _constants(column: Matrix) -> tuple[float, float, float, float] | None:
    """Lower and upper limit, mean and scale of one column (rows,); None where it has no two different values."""
    values = _signed_log(column)
    values = values[~np.isnan(values)]
    if not len(values):
        return None
    lower, upper = np.quantile(values, (CLIP, 1.0 - CLIP))
    if lower == upper:
        # A rare event sits beyond the quantiles: clipping there would erase it.
        lower, upper = values.min(), values.max()
    clipped = np.clip(values, lower, upper)
    scale = float(clipped.std())
    return None if scale < 1e-6 else (float(lower), float(upper), float(clipped.mean()), scale)


def fit_linear(data: Dataset, columns: NDArray[np.int64], *, l2: float, threads: int) -> tuple[LinearPart, FloatArray]:
    """The score, and one free intercept per snapshot (snapshots,).

    The intercepts take up how much churn there was at each snapshot, so that the weights learn only who is more
    likely than whom. Without them a feature that differs between snapshots is credited with the season.
    """
    return fit_with_intercepts(
        data, columns, one_hot(data.groups), l2=l2, intercept_penalty=INTERCEPT_PENALTY, threads=threads
    )


def fit_with_intercepts(
    data: Dataset,
    columns: NDArray[np.int64],
    intercepts: FloatArray,
    *,
    l2: float,
    intercept_penalty: float,
    threads: int,
) -> tuple[LinearPart, FloatArray]:
    """The score on these columns, and the weights of `intercepts` (rows, intercepts)."""
    transform = fit_transform(data.matrix, columns, threads=threads)
    count = len(transform.columns)

    def missing_in(rows: slice) -> NDArray[np.int64]:
        return np.count_nonzero(np.isnan(data.matrix[rows][:, transform.columns]), axis=0)

    missing = sum(in_pieces(missing_in, len(data), threads=threads), np.zeros(count, dtype=np.int64))
    # An indicator that repeats another (all spend is null together) shares its weight under the ridge penalty.
    ever = np.flatnonzero((missing > 0) & (missing < len(data)))
    design = np.empty((len(data), count + len(ever) + intercepts.shape[1]))

    def fill(rows: slice) -> None:
        part = data.matrix[rows]
        design[rows, :count] = transform.standardised(part)
        design[rows, count : count + len(ever)] = np.isnan(part[:, transform.columns[ever]])
        design[rows, count + len(ever) :] = intercepts[rows]

    in_pieces(fill, len(data), threads=threads)
    penalty = np.full(design.shape[1], l2)
    penalty[count + len(ever) :] = intercept_penalty
    coefficients = fit_logistic(design, data.label, penalty, threads=threads)
    missing_weight = np.zeros(count)
    missing_weight[ever] = coefficients[count : count + len(ever)]
    return LinearPart(transform, coefficients[:count], missing_weight), coefficients[count + len(ever) :]


def one_hot(groups: NDArray[np.int64]) -> FloatArray:
    """(rows, groups), 1 in the column of the row's group."""
    result: FloatArray = np.eye(int(groups.max()) + 1)[groups]
    return result


def _signed_log(values: Matrix) -> FloatArray:
    wide: FloatArray = values.astype(np.float64)
    logs = np.abs(wide)
    np.log1p(logs, out=logs)
    return np.copysign(logs, wide, out=logs)
