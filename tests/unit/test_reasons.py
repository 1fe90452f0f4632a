"""Reasons: exact contributions, three themes, words."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from athena_assets.features.definition import DEFINITIONS, parse_definition
from athena_assets.features.words import words
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.reasons import (
    NO_FURTHER_REASON,
    Explanation,
    explain,
    reasons_in_words,
    top_rows,
)
from athena_assets.lifecycle.training import TrainedModel


@pytest.fixture(scope="module")
def rows(churn_data: Dataset) -> np.ndarray:
    return churn_data.at(churn_data.snapshots[-1]).matrix


def test_contributions_when_summed_then_equal_the_margin(trained: TrainedModel, rows: np.ndarray) -> None:
    found = explain(trained.model, rows[:100], rows)
    total = found.base + found.contributions.sum(axis=1)
    assert total == pytest.approx(trained.model.margin(rows[:100]), abs=1e-5)
    assert np.ptp(found.base) < 1e-5


def test_contributions_when_season_and_record_length_are_features_then_no_reason(
    trained: TrainedModel, rows: np.ndarray
) -> None:
    found = explain(trained.model, rows[:100], rows)
    for name in ("as_of_day_of_year", "history_days"):
        assert not found.contributions[:, trained.model.features.index(name)].any()


def test_linear_contributions_when_averaged_over_the_population_then_zero(
    trained: TrainedModel, rows: np.ndarray
) -> None:
    linear = trained.model.ranking.linear
    trees_off = explain(trained.model, rows, rows).contributions
    without = linear.contributions(rows) - linear.contributions(rows).mean(axis=0)
    assert without.mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert trees_off.shape == rows.shape


def test_reasons_when_told_then_raise_the_risk_and_differ_in_theme(
    trained: TrainedModel, rows: np.ndarray, churn_spec: ModelSpec
) -> None:
    told: list[str] = []

    def phrase(name: str, value: float, typical: float | None) -> str:
        told.append(name)
        return name

    found = explain(trained.model, rows[:60], rows)
    reasons = reasons_in_words(found, rows[:60], rows, trained.model, churn_spec.reasons, phrase)
    position = trained.model.features.index
    for row, three in enumerate(reasons):
        named = [name for name in three if name != NO_FURTHER_REASON]
        assert len({churn_spec.reasons.theme(name) for name in named}) == len(named)
        assert all(found.contributions[row, position(name)] > 0 for name in named)
    assert told


def test_reasons_when_nothing_raises_the_risk_then_said_so(
    trained: TrainedModel, rows: np.ndarray, churn_spec: ModelSpec
) -> None:
    low = Explanation(-np.ones_like(rows[:2], dtype=np.float64), np.zeros(2))
    found = reasons_in_words(low, rows[:2], rows, trained.model, churn_spec.reasons, lambda *_: "?")
    assert found == [(NO_FURTHER_REASON,) * 3] * 2


def test_reasons_when_a_feature_is_silent_or_null_then_it_is_not_told(
    trained: TrainedModel, rows: np.ndarray, churn_spec: ModelSpec
) -> None:
    strong = {"recency_days": 3.0, "orders_90d": 2.0, "spend_90d": 1.0}
    contributions = np.zeros((1, rows.shape[1]))
    for name, value in strong.items():
        contributions[0, trained.model.features.index(name)] = value
    matrix = np.ones((1, rows.shape[1]), dtype=np.float32)
    matrix[0, trained.model.features.index("orders_90d")] = np.nan
    reasons = churn_spec.reasons.model_copy(update={"silent": ("recency_*",)})

    def phrase(name: str, value: float, typical: float | None) -> str:
        return name

    (told,) = reasons_in_words(Explanation(contributions, np.zeros(1)), matrix, rows, trained.model, reasons, phrase)
    assert told == ("spend_90d", NO_FURTHER_REASON, NO_FURTHER_REASON)
    everything = churn_spec.reasons.model_copy(update={"silent": ("*",)})
    (nothing,) = reasons_in_words(
        Explanation(contributions, np.zeros(1)), matrix, rows, trained.model, everything, phrase
    )
    assert nothing == (NO_FURTHER_REASON,) * 3


def test_reasons_when_in_the_features_own_words_then_carry_the_value(
    trained: TrainedModel, rows: np.ndarray, churn_spec: ModelSpec
) -> None:
    model = trained.model
    contributions = np.zeros_like(rows[:1], dtype=np.float64)
    contributions[0, model.features.index("recency_days")] = 1.0
    rows = rows.copy()
    rows[0, model.features.index("recency_days")] = 143

    def phrase(name: str, value: float, typical: float | None) -> str:
        return words(parse_definition(DEFINITIONS / f"{name}.sql"), value, typical=typical)

    explained = Explanation(contributions, np.zeros(1))
    ((first, second, third),) = reasons_in_words(explained, rows[:1], rows, model, churn_spec.reasons, phrase)
    assert "143" in first
    assert (second, third) == (NO_FURTHER_REASON, NO_FURTHER_REASON)


def test_top_rows_when_money_ties_then_higher_probability_then_earlier_row() -> None:
    money = np.array([500, 900, 500, 500])
    assert top_rows(money, np.array([0.2, 0.1, 0.9, 0.2]), 4).tolist() == [1, 2, 0, 3]
    assert top_rows(money, np.array([0.2, 0.1, 0.9, 0.2]), 2).tolist() == [1, 2]


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=30), st.integers(0, 35))
def test_top_rows_when_compared_with_a_full_sort_then_they_are_its_first(rows: list[tuple[int, int]], k: int) -> None:
    money = np.array([amount for amount, _ in rows], dtype=np.int64)
    probability = np.array([chance for _, chance in rows], dtype=np.float64)
    wanted = sorted(range(len(rows)), key=lambda row: (-money[row], -probability[row], row))[:k]
    assert top_rows(money, probability, k).tolist() == wanted
