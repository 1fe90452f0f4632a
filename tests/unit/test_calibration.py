"""The level at a new day: the season a year earlier, the trend, and short records."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from athena_assets.lifecycle.baselines import fit_baselines
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.logistic import sigmoid
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.search import calibration_slope
from athena_assets.lifecycle.season import (
    LevelNotFound,
    LevelPrior,
    _intercept,
    _next_occurrence,
    fit_level_model,
    standardise,
)
from athena_assets.lifecycle.training import backtest

PRIOR = LevelPrior(
    season_sd=0.5, season_length_days=45, trend_sd=0.5, trend_length_days=365, noise_sd=0.1, censoring_sd=0.5
)
FULL = 365.0


def _predict(days: list[float], levels: list[float], target: float, *, history: list[float] | None = None) -> float:
    seen = np.array(history if history is not None else [FULL] * len(days))
    return float(PRIOR.predict(np.array(days), np.array(levels), seen, np.array([target]))[0])


def test_level_when_season_was_seen_twice_then_close_to_it() -> None:
    days = np.arange(-765.0, -89.0, 45.0)
    levels = 0.6 * np.cos(2 * np.pi * days / 365.25)
    for target in (0.0, 20.0, 90.0, 180.0, 270.0):
        assert _predict(days.tolist(), levels.tolist(), target) == pytest.approx(
            0.6 * np.cos(2 * np.pi * target / 365.25), abs=0.12
        )


def test_level_when_never_seen_in_that_season_then_between_the_known() -> None:
    assert -0.4 < _predict([-300.0, -255.0], [-0.4, 0.2], -100.0) < 0.2


def test_level_when_this_year_is_higher_then_last_years_season_is_raised() -> None:
    days = [-365.0, -320.0, -275.0, -230.0, -95.0]
    steady = _predict(days, [0.0, 0.0, 0.0, 0.0, 0.0], 0.0)
    raised = _predict(days, [0.0, 0.0, 0.0, 0.0, 0.6], 0.0)
    assert pytest.approx(steady) == 0.0
    assert 0.05 < raised < 0.6


def test_level_when_record_was_short_then_counts_less() -> None:
    days, levels = [-365.0, -95.0], [-0.5, 0.5]
    whole = _predict(days, levels, 0.0)
    short = _predict(days, levels, 0.0, history=[120.0, FULL])
    assert short > whole


def test_level_when_shifted_then_prediction_shifts_alike() -> None:
    days, levels = [-400.0, -300.0, -90.0], [0.1, -0.2, 0.4]
    raised = [level + 5.0 for level in levels]
    assert _predict(days, raised, 0.0) == pytest.approx(_predict(days, levels, 0.0) + 5.0)


@pytest.mark.parametrize("origin", [datetime(2011, 3, 1), datetime(2012, 2, 28), datetime(2023, 12, 31)])
def test_curve_when_indexed_then_each_day_of_the_year_is_its_next_occurrence(origin: datetime) -> None:
    ahead = _next_occurrence(origin)
    for position in range(365):
        day = origin + timedelta(days=int(ahead[position]))
        assert 1 <= ahead[position] <= 366
        assert day.timetuple().tm_yday == position + 1
    assert not np.isnan(ahead[365])


@pytest.mark.parametrize("mean", [0.001, 0.3, 0.97])
def test_intercept_when_solved_then_mean_probability_is_as_asked(mean: float) -> None:
    margin = np.random.default_rng(0).normal(0, 3, 500)
    assert sigmoid(margin + _intercept(margin, mean)).mean() == pytest.approx(mean, abs=1e-9)


def test_standardise_when_margin_is_the_level_models_own_then_curve_comes_back(
    churn_data: Dataset, churn_spec: ModelSpec
) -> None:
    level = fit_level_model(churn_data, churn_spec.season)
    curve = standardise(level, churn_data, level.part.score)
    assert curve == pytest.approx(level.curve(), abs=1e-6)


def test_level_model_when_no_comparable_feature_is_there_then_named_error(
    churn_data: Dataset, churn_spec: ModelSpec
) -> None:
    season = churn_spec.season.model_copy(update={"comparable_features": ("nothing_30d",)})
    with pytest.raises(LevelNotFound, match="nothing_30d"):
        fit_level_model(churn_data, season)


def test_mean_prediction_when_the_season_was_seen_a_year_earlier_then_within_five_points(
    churn_data: Dataset, churn_spec: ModelSpec
) -> None:
    spec = churn_spec.model_copy(update={"search": churn_spec.search.model_copy(update={"trials": 1})})
    days = churn_data.snapshots[-3:]
    errors = [one.report.metrics["level_error"].value for one in backtest(spec, churn_data, days)]
    # 500 customers a snapshot: the share itself is only known to about two points.
    assert np.abs(errors).max() < 0.05 + 0.02
    past = churn_data.at(*(day for day in churn_data.snapshots if day + timedelta(days=90) <= days[-1]))
    averaging = {one.name: one for one in fit_baselines(past, spec)}["logistic"]
    held_out = churn_data.at(days[-1])
    assert abs(averaging.probability(held_out.matrix).mean() - held_out.label.mean()) > abs(errors[-1])


@pytest.mark.parametrize("true_slope", [0.6, 1.0, 1.7])
def test_slope_when_margins_are_too_steep_or_flat_then_found(true_slope: float) -> None:
    generator = np.random.default_rng(4)
    margin = generator.normal(0, 1.5, 20_000)
    label = (generator.uniform(size=20_000) < sigmoid(true_slope * margin + 0.8)).astype(float)
    assert calibration_slope(label, margin) == pytest.approx(true_slope, abs=0.06)
