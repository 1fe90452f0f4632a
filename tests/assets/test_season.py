"""Four simulated seasons, out of time: the mean prediction follows the season; averaging the past does not."""

from datetime import datetime

import pytest

from athena_assets.definitions import Athena, build_athena
from athena_assets.lifecycle.backtesting import labelled
from athena_assets.lifecycle.baselines import fit_baselines
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.model_spec import ModelSpec, Search
from athena_assets.lifecycle.snapshots import complete_snapshots, labels_complete_before
from athena_assets.lifecycle.training import backtest
from athena_assets.lifecycle.training_set import model_features
from athena_assets.nights import Night
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_cli.simulating import land_simulator
from resources.orchestrator import Orchestrator
from resources.settings import Settings
from resources.warehouse import Warehouse

SEASONS = {
    "autumn": datetime(2025, 10, 1),
    "winter": datetime(2026, 1, 1),
    "spring": datetime(2026, 4, 1),
    "summer": datetime(2026, 7, 1),
}
TOLERANCE = 0.05


@pytest.fixture(scope="module")
def athena(tmp_path_factory: pytest.TempPathFactory) -> Athena:
    """Three and a half years of a simulated retailer, landed and cleaned by the real job."""
    patch = pytest.MonkeyPatch()
    settings = Settings(home=tmp_path_factory.mktemp("seasons") / "home")
    patch.setenv("ATHENA_HOME", str(settings.home))
    patch.setenv("DAGSTER_HOME", "")
    patch.setenv("ATHENA_DAGSTER_STORAGE", "")
    land_simulator(settings, SimulatorParameters(customers=4_000, history_days=1_277, nights=0))
    athena = build_athena(settings)
    Orchestrator(settings, athena.definitions).execute("history")
    patch.undo()
    return athena


@pytest.fixture(scope="module")
def spec(athena: Athena) -> ModelSpec:
    """The model with its declared parameters: the search is about ranking and cannot move the level."""
    (model,) = athena.models
    return model.model_copy(update={"search": Search(trials=1, folds=1, maximum_rows=1_000_000, space={})})


@pytest.fixture(scope="module")
def snapshots(athena: Athena, spec: ModelSpec) -> Dataset:
    """Every snapshot that a training at one of the seasons would use, and the seasons themselves."""
    first = datetime(2023, 4, 30)
    policy = spec.snapshots
    days = {
        day
        for season in SEASONS.values()
        for day in complete_snapshots(first, season, horizon_days=spec.horizon_days, policy=policy)
    }
    with Warehouse.of(athena.settings).read() as connection:
        return labelled(
            connection,
            spec,
            model_features(spec, athena.feature_set),
            sorted(days | set(SEASONS.values())),
            label_cutoff=Night(athena.retailer.first_night.day).as_of,
        )


def training_days(spec: ModelSpec, season: datetime) -> tuple[datetime, ...]:
    days = complete_snapshots(datetime(2023, 4, 30), season, horizon_days=spec.horizon_days, policy=spec.snapshots)
    return labels_complete_before(days, season, horizon_days=spec.horizon_days)


@pytest.mark.parametrize("season", SEASONS)
def test_mean_prediction_when_the_season_was_seen_a_year_earlier_then_within_five_points(
    season: str, spec: ModelSpec, snapshots: Dataset
) -> None:
    day = SEASONS[season]
    (judged,) = backtest(spec, snapshots.at(*training_days(spec, day), day), (day,))
    report = judged.report
    assert report.customers > 1_500
    assert abs(report.mean_probability - report.label_rate) <= TOLERANCE


def test_mean_prediction_when_the_past_is_averaged_then_autumn_is_missed_by_ten_points(
    spec: ModelSpec, snapshots: Dataset
) -> None:
    day = SEASONS["autumn"]
    past, held_out = snapshots.at(*training_days(spec, day)), snapshots.at(day)
    logistic = next(one for one in fit_baselines(past, spec) if one.name == "logistic")
    missed = float(logistic.probability(held_out.matrix).mean() - held_out.label.mean())
    assert missed > 0.1
