"""Metrics against scikit-learn, scipy, published figures and brute force."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from athena_assets.errors import InvalidArgument
from athena_assets.lifecycle import metrics

rows = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 12)), min_size=6, max_size=80
).filter(lambda r: 2 <= sum(y for y, _ in r) <= len(r) - 2)  # fmt: skip


def _arrays(pairs: list[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    table = np.array(pairs, dtype=np.float64)
    return table[:, 0], table[:, 1] / 12


@given(rows)
@settings(max_examples=80, deadline=None)
def test_ranking_metrics_when_scores_tie_then_equal_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    label, score = _arrays(pairs)
    assert metrics.auc(label, score) == pytest.approx(roc_auc_score(label, score))
    assert metrics.average_precision(label, score) == pytest.approx(average_precision_score(label, score))
    assert metrics.brier(label, score) == pytest.approx(brier_score_loss(label, score))


@given(rows)
@settings(max_examples=40, deadline=None)
def test_delong_when_compared_with_all_pairs_then_equal(pairs: list[tuple[int, int]]) -> None:
    label, score = _arrays(pairs)
    positive, negative = score[label == 1], score[label == 0]
    wins = (positive[:, None] > negative[None, :]) + 0.5 * (positive[:, None] == negative[None, :])
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    estimate = metrics.auc_estimate(label, score)
    assert estimate.value == pytest.approx(wins.mean())
    assert estimate.low == pytest.approx(max(0.0, wins.mean() - 1.959964 * np.sqrt(variance)), abs=1e-6)


def test_auc_difference_when_bootstrapped_then_intervals_agree() -> None:
    generator = np.random.default_rng(3)
    label = (generator.uniform(size=1500) < 0.4).astype(float)
    good, poor = label + generator.normal(0, 1.2, 1500), label + generator.normal(0, 2.5, 1500)
    difference = metrics.auc_difference(label, good, poor)
    draws = []
    for _ in range(400):
        chosen = generator.integers(0, 1500, 1500)
        draws.append(roc_auc_score(label[chosen], good[chosen]) - roc_auc_score(label[chosen], poor[chosen]))
    low, high = np.quantile(draws, (0.025, 0.975))
    assert difference.low == pytest.approx(low, abs=0.01)
    assert difference.high == pytest.approx(high, abs=0.01)
    assert not difference.includes_zero


def test_auc_difference_when_scores_are_equal_then_exactly_zero_and_said_so() -> None:
    label, score = np.array([0.0, 1, 0, 1, 1]), np.array([0.1, 0.4, 0.5, 0.7, 0.2])
    difference = metrics.auc_difference(label, score, score * 2)
    assert (difference.value, difference.low, difference.high) == (0, 0, 0)
    assert "includes zero" in metrics.in_words(difference, than="itself")


def test_calibration_error_when_worked_by_hand_then_equal() -> None:
    # Two bins of equal count: |0.5 - 0.15| and |0.5 - 0.85|, half of the rows each.
    label, probability = np.array([1.0, 0, 1, 0]), np.array([0.1, 0.2, 0.8, 0.9])
    assert metrics.calibration_error(label, probability, bins=2) == pytest.approx(0.35)
    assert metrics.level_error(label, probability) == pytest.approx(0.0)


@given(st.integers(1, 60), st.integers(0, 10**6))
@settings(max_examples=40, deadline=None)
def test_calibration_error_when_bounded_then_between_level_error_and_one(size: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    label, probability = generator.integers(0, 2, size).astype(float), generator.uniform(size=size)
    error = metrics.calibration_error(label, probability)
    assert abs(metrics.level_error(label, probability)) <= error + 1e-12 <= 1 + 1e-12


def test_lift_when_top_is_all_positive_then_inverse_of_rate() -> None:
    label, score = np.array([1.0, 1, 0, 0, 0, 0, 0, 0]), np.arange(8)[::-1].astype(float)
    assert metrics.lift_at(label, score, 2) == pytest.approx(4.0)
    with pytest.raises(InvalidArgument):
        metrics.lift_at(label, score, 0)


def test_lift_when_scores_tie_then_the_first_rows_of_the_tie_are_taken() -> None:
    generator = np.random.default_rng(3)
    for k in (1, 5, 40, 99, 100, 200):
        label, score = (generator.uniform(size=100) < 0.3).astype(float), generator.integers(0, 6, 100) / 5
        first = np.argsort(-score, kind="stable")[:k]
        assert metrics.lift_at(label, score, k) == label[first].mean() / label.mean()


def test_bootstrap_when_seed_is_equal_then_equal_and_covers_the_binomial_interval() -> None:
    generator = np.random.default_rng(5)
    label, probability = (generator.uniform(size=2000) < 0.3).astype(float), np.full(2000, 0.3)
    found = metrics.bootstrap(label, probability, {"level": metrics.level_error}, seed=1)
    again = metrics.bootstrap(label, probability, {"level": metrics.level_error}, seed=1, threads=2)
    other = metrics.bootstrap(label, probability, {"level": metrics.level_error}, seed=2)
    assert found == again != other
    half = 1.96 * np.sqrt(0.3 * 0.7 / 2000)
    assert found["level"].high - found["level"].low == pytest.approx(2 * half, rel=0.2)


def test_ranking_metrics_when_one_class_is_missing_then_named_error() -> None:
    with pytest.raises(InvalidArgument, match="both present"):
        metrics.auc(np.ones(5), np.arange(5.0))
