"""The plain logistic regressions, against scikit-learn's."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from athena_assets.lifecycle.baselines import fit_baseline, fit_baselines
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.logistic import NoConvergence, fit_logistic, sigmoid
from athena_assets.lifecycle.model_spec import ModelSpec


def test_logistic_when_compared_with_scikit_learn_then_equal() -> None:
    generator = np.random.default_rng(2)
    design = generator.normal(size=(800, 6))
    label = (generator.uniform(size=800) < sigmoid(design @ np.array([1, -1, 0.5, 0, 0, 2.0]))).astype(float)
    ours = fit_logistic(np.column_stack([design, np.ones(800)]), label, np.append(np.full(6, 5.0), 0.0))
    theirs = LogisticRegression(C=1 / 5, tol=1e-10, max_iter=1000).fit(design, label)
    assert ours == pytest.approx(np.append(theirs.coef_[0], theirs.intercept_), abs=1e-5)


def test_logistic_when_separable_without_penalty_then_named_error() -> None:
    with pytest.raises((NoConvergence, np.linalg.LinAlgError)):
        fit_logistic(np.array([[-1.0], [1.0]]), np.array([0.0, 1.0]), np.zeros(1))


def test_baseline_when_on_one_feature_then_ranks_like_that_feature(churn_data: Dataset) -> None:
    recency = fit_baseline(churn_data, "recency", ("recency_days",))
    probability = recency.probability(churn_data.matrix)
    order = np.argsort(churn_data.column("recency_days"), kind="stable")
    assert (np.diff(probability[order]) >= 0).all()
    assert probability.mean() == pytest.approx(churn_data.label.mean(), abs=1e-6)


def test_baseline_when_on_everything_then_season_and_record_length_are_left_out(
    churn_data: Dataset, churn_spec: ModelSpec
) -> None:
    logistic = {one.name: one for one in fit_baselines(churn_data, churn_spec)}["logistic"]
    used = {churn_data.features[column] for column in logistic.part.transform.columns}
    assert "recency_days" in used
    assert not used & {"as_of_day_of_year", "history_days"}


def test_transform_when_feature_is_null_everywhere_then_left_out(churn_data: Dataset, churn_spec: ModelSpec) -> None:
    logistic = {one.name: one for one in fit_baselines(churn_data, churn_spec)}["logistic"]
    used = {churn_data.features[column] for column in logistic.part.transform.columns}
    assert "online_share_365d" not in used
    assert np.isfinite(logistic.probability(churn_data.matrix)).all()


def test_logistic_when_threads_share_the_rows_then_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("athena_assets.lifecycle.pieces.ROWS", 97)
    generator = np.random.default_rng(5)
    design = generator.normal(size=(1_500, 7))
    label = (generator.uniform(size=1_500) < sigmoid(design @ generator.normal(size=7))).astype(float)
    one, *others = (fit_logistic(design, label, np.full(7, 3.0), threads=count) for count in (1, 2, 5))
    assert all(np.array_equal(one, other) for other in others)
    monkeypatch.setattr("athena_assets.lifecycle.pieces.ROWS", 10_000)
    assert np.allclose(fit_logistic(design, label, np.full(7, 3.0)), one, rtol=1e-9)
