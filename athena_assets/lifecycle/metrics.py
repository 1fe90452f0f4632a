"""How good a probability is: ranking, calibration, lift, each with an interval.

Rows are customers of one snapshot, one row each, so they are resampled as independent. Labels are 0 or 1; every
function takes arrays of shape (rows,).
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from athena_assets.errors import InvalidArgument
from athena_assets.lifecycle.dataset import FloatArray

BINS = 10
"""Equal-count bins of the calibration error."""

Z_95 = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""


@dataclass(frozen=True)
class Estimate:
    """A value and its 95 % interval."""

    value: float
    low: float
    high: float

    @property
    def includes_zero(self) -> bool:
        """Whether zero cannot be ruled out."""
        return self.low <= 0.0 <= self.high


def auc(label: FloatArray, score: FloatArray) -> float:
    """Area under the ROC curve; ties count one half (Mann-Whitney)."""
    _require_both_classes(label)
    positives = label == 1
    ranks = _mid_ranks(score)
    m, n = int(positives.sum()), int((~positives).sum())
    return float((ranks[positives].sum() - m * (m + 1) / 2) / (m * n))


def average_precision(label: FloatArray, score: FloatArray) -> float:
    """Σ (recall step × precision) over distinct thresholds, without interpolation."""
    _require_both_classes(label)
    order = np.argsort(-score, kind="stable")
    hits, ordered = label[order], score[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    found = np.cumsum(hits)[last_of_tie]
    precision = found / (last_of_tie + 1)
    recall = found / found[-1]
    return float(np.sum(np.diff(recall, prepend=0.0) * precision))


def brier(label: FloatArray, probability: FloatArray) -> float:
    """Mean squared difference between probability and outcome (Brier 1950)."""
    return float(np.mean((probability - label) ** 2))


def calibration_error(label: FloatArray, probability: FloatArray, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal count: Σ share × |mean outcome − mean probability|."""
    order = np.argsort(probability, kind="stable")
    total = 0.0
    for rows in np.array_split(order, min(bins, len(order))):
        total += abs(float(label[rows].sum()) - float(probability[rows].sum()))
    return total / len(order)


def level_error(label: FloatArray, probability: FloatArray) -> float:
    """Mean probability minus the share that happened: positive when too many were expected."""
    return float(probability.mean() - label.mean())


def lift_at(label: FloatArray, score: FloatArray, k: int) -> float:
    """Rate among the k highest scores over the overall rate; raises `InvalidArgument` unless 1 <= k."""
    if k < 1:
        raise InvalidArgument("lift at k", expected="k >= 1", found=str(k))
    _require_both_classes(label)
    k = min(k, len(score))
    least = np.partition(score, len(score) - k)[len(score) - k]
    above = np.flatnonzero(score > least)
    # Of those who tie for the last places, the first rows.
    top = np.concatenate([above, np.flatnonzero(score == least)[: k - len(above)]])
    return float(label[top].mean() / label.mean())


def auc_estimate(label: FloatArray, score: FloatArray) -> Estimate:
    """AUC with DeLong's interval (DeLong, DeLong and Clarke-Pearson 1988)."""
    value, by_positive, by_negative = _placements(label, score)
    variance = _variance(by_positive, by_negative)
    half = Z_95 * float(np.sqrt(variance))
    return Estimate(value, max(0.0, value - half), min(1.0, value + half))


def auc_difference(label: FloatArray, score: FloatArray, other: FloatArray) -> Estimate:
    """AUC of `score` minus AUC of `other` on the same rows, with DeLong's interval for paired scores."""
    value, by_positive, by_negative = _placements(label, score)
    other_value, other_positive, other_negative = _placements(label, other)
    variance = _variance(by_positive - other_positive, by_negative - other_negative)
    half = Z_95 * float(np.sqrt(variance))
    difference = value - other_value
    return Estimate(difference, difference - half, difference + half)


def bootstrap(
    label: FloatArray,
    score: FloatArray,
    metrics: Mapping[str, Callable[[FloatArray, FloatArray], float]],
    *,
    seed: int,
    replicates: int = 200,
    threads: int = 1,
) -> dict[str, Estimate]:
    """Each metric with its percentile interval over resampled rows; the same resamples for all metrics.

    The resamples are drawn one after another and shared by the threads: any number of them gives the same figures.
    """
    generator = np.random.default_rng(seed)

    def resamples() -> Iterator[NDArray[np.int64]]:
        for _ in range(replicates):
            rows = generator.integers(0, len(label), len(label))
            while not 0 < label[rows].sum() < len(label):
                rows = generator.integers(0, len(label), len(label))
            yield rows

    def of(rows: NDArray[np.int64]) -> list[float]:
        drawn = label[rows], score[rows]
        return [metric(*drawn) for metric in metrics.values()]

    with ThreadPoolExecutor(threads) as pool:
        draws = np.array(list(pool.map(of, resamples()))).reshape(replicates, len(metrics))
    return {
        name: Estimate(metric(label, score), *map(float, np.quantile(draws[:, position], (0.025, 0.975))))
        for position, (name, metric) in enumerate(metrics.items())
    }


def in_words(difference: Estimate, *, than: str) -> str:
    """The paired difference of AUC as a sentence that does not claim more than the interval allows."""
    interval = f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]"
    if difference.includes_zero:
        return f"AUC {interval} against {than}: the interval includes zero, so the two cannot be told apart here"
    return f"AUC {interval} against {than}: {'better' if difference.value > 0 else 'worse'}"


def _placements(label: FloatArray, score: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """AUC and, per positive and per negative, the share of the other class that it is ranked right against."""
    _require_both_classes(label)
    positives = label == 1
    m, n = int(positives.sum()), int((~positives).sum())
    ranks = _mid_ranks(score)
    by_positive = (ranks[positives] - _mid_ranks(score[positives])) / n
    by_negative = 1.0 - (ranks[~positives] - _mid_ranks(score[~positives])) / m
    return float(by_positive.mean()), by_positive, by_negative


def _variance(by_positive: FloatArray, by_negative: FloatArray) -> float:
    if len(by_positive) < 2 or len(by_negative) < 2:
        raise InvalidArgument("an interval of AUC", expected="two customers of each outcome at least", found="fewer")
    return float(by_positive.var(ddof=1) / len(by_positive) + by_negative.var(ddof=1) / len(by_negative))


def _mid_ranks(values: FloatArray) -> FloatArray:
    """Ranks from 1; ties share the mean of theirs."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    middle: FloatArray = last - (counts - 1) / 2
    return middle[inverse]


def _require_both_classes(label: FloatArray) -> None:
    found: NDArray[np.float64] = np.unique(label)
    if not np.array_equal(found, [0.0, 1.0]):
        raise InvalidArgument("a ranking metric", expected="labels 0 and 1, both present", found=str(found.tolist()))
