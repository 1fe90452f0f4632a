"""Search, evaluation out of time and refit, on a problem whose truth is known."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from athena_assets.lifecycle.dataset import Dataset, InvalidTrainingData, dataset_of, to_matrix
from athena_assets.lifecycle.model_spec import InvalidModelSpec, ModelSpec
from athena_assets.lifecycle.recipe import InvalidRecipe, load_recipe
from athena_assets.lifecycle.search import candidate_parameters, forward_folds, search
from athena_assets.lifecycle.snapshots import NotEnoughHistory
from athena_assets.lifecycle.training import TrainedModel, train


def _with(table: pa.Table, name: str, values: list) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values))


class Watched:
    """The real recipe, noting what each fit was shown."""

    def __init__(self, spec: ModelSpec) -> None:
        self.recipe = load_recipe(spec)
        self.fits: list[tuple[datetime, ...]] = []
        self.rankings: list[tuple[datetime, ...]] = []

    def fit_ranking(self, data: Dataset, spec: ModelSpec, parameters: Mapping[str, float | int]):
        self.rankings.append(data.snapshots)
        return self.recipe.fit_ranking(data, spec, parameters)

    def fit(self, data: Dataset, spec: ModelSpec, parameters: Mapping[str, float | int], *, slope: float):
        self.fits.append(data.snapshots)
        return self.recipe.fit(data, spec, parameters, slope=slope)


def test_training_when_run_then_judged_model_never_saw_a_label_of_the_evaluation(
    churn_spec: ModelSpec, churn_data: Dataset
) -> None:
    watched = Watched(churn_spec)
    done = train(churn_spec, churn_data, recipe=watched)
    judged, refit = watched.fits
    assert max(judged) + timedelta(days=90) <= done.plan.evaluation == done.judged.report.evaluation
    assert refit == churn_data.snapshots
    assert done.judged.report.training == judged
    assert all(max(days) + timedelta(days=180) <= done.plan.evaluation for days in watched.rankings)


def test_training_when_labels_of_the_future_change_then_judged_model_does_not(
    churn_spec: ModelSpec, churn_data: Dataset, trained: TrainedModel
) -> None:
    late = churn_data.as_of >= np.datetime64(trained.plan.training[-1] + timedelta(days=1))
    flipped = replace(churn_data, label=np.where(late, 1 - churn_data.label, churn_data.label))
    other = train(churn_spec, flipped)
    rows = churn_data.matrix
    assert np.array_equal(other.judged.model.probability(rows), trained.judged.model.probability(rows))
    assert not np.array_equal(other.model.probability(rows), trained.model.probability(rows))


def test_training_when_interactions_matter_then_better_than_every_baseline(trained: TrainedModel) -> None:
    report = trained.judged.report
    assert report.metrics["auc"].value > 0.7
    assert all(baseline.difference.value > 0 for baseline in report.baselines)


def test_training_when_rows_arrive_in_another_order_then_the_same_model(
    churn_spec: ModelSpec, churn_table: pa.Table, churn_data: Dataset, trained: TrainedModel
) -> None:
    order = np.random.default_rng(1).permutation(churn_table.num_rows)
    shuffled = dataset_of(churn_table.take(order), churn_data.features)
    other = train(churn_spec, shuffled)
    assert other.data_sha256 == trained.data_sha256
    assert other.model.ranking.trees == trained.model.ranking.trees
    assert np.array_equal(other.model.level, trained.model.level)
    assert other.judged.search == trained.judged.search


def test_data_hash_when_one_value_changes_then_another(churn_data: Dataset) -> None:
    matrix = churn_data.matrix.copy()
    matrix[3, 4] += 1
    assert replace(churn_data, matrix=matrix).sha256() != churn_data.sha256()
    assert replace(churn_data, label=1 - churn_data.label).sha256() != churn_data.sha256()


def test_search_when_run_then_defaults_come_first_and_every_trial_is_recorded(
    churn_spec: ModelSpec, trained: TrainedModel
) -> None:
    found = trained.judged.search
    assert [trial.number for trial in found.trials] == [0, 1, 2]
    assert found.trials[0].parameters == churn_spec.algorithm.defaults
    assert [trial.parameters for trial in found.trials] == list(candidate_parameters(churn_spec))
    assert found.parameters == max(found.trials, key=lambda trial: trial.mean_auc).parameters


def test_search_when_the_number_of_threads_differs_then_every_trial_is_the_same(
    churn_spec: ModelSpec, churn_data: Dataset, trained: TrainedModel
) -> None:
    past = churn_data.at(*trained.plan.training)
    for threads in (1, 2):
        algorithm = churn_spec.algorithm.model_copy(update={"threads": threads})
        spec = churn_spec.model_copy(update={"algorithm": algorithm})
        assert search(past, spec, load_recipe(spec)) == trained.judged.search


def test_ranking_when_the_same_rows_are_fitted_for_another_spec_then_nothing_of_the_first_is_taken(
    churn_spec: ModelSpec, churn_data: Dataset
) -> None:
    """What the fits of one data set have in common is kept with it."""
    season = churn_spec.season.model_copy(update={"history_feature": "recency_days"})
    other = churn_spec.model_copy(update={"season": season})
    recency = churn_data.features.index("recency_days")
    recipe, parameters = load_recipe(churn_spec), churn_spec.algorithm.defaults
    for spec, reads_it in ((churn_spec, True), (other, False)):
        ranking = recipe.fit_ranking(churn_data, spec, parameters)
        assert (recency in ranking.linear.transform.columns) is (recency in ranking.tree_columns) is reads_it


def test_search_when_history_is_too_short_for_a_fold_then_defaults_without_scores(
    churn_spec: ModelSpec, churn_data: Dataset
) -> None:
    found = search(churn_data.at(*churn_data.snapshots[:2]), churn_spec, load_recipe(churn_spec))
    assert (found.parameters, found.slope) == (churn_spec.algorithm.defaults, 1.0)
    assert found.trials[0].auc_by_snapshot == {}


def test_folds_when_made_then_labels_were_complete_before_the_validation_day(churn_data: Dataset) -> None:
    folds = forward_folds(churn_data.snapshots, horizon_days=90, count=3)
    assert len(folds) == 3
    for training, day in folds:
        assert max(training) + timedelta(days=90) <= day


def test_report_when_serialised_then_rows_carry_every_figure(trained: TrainedModel) -> None:
    report = trained.judged.report
    assert json.loads(json.dumps(report.as_dict()))["metrics"]["auc"]["value"] == report.metrics["auc"].value
    rows = {(row["section"], row["name"], row["slice"]): row for row in report.rows()}
    assert len(rows) == len(report.rows())
    assert rows["metric", "auc", "all"]["low"] == report.metrics["auc"].low
    assert rows["baseline", "logistic.auc_difference", "all"]["value"] > 0
    assert sum(group.customers for group in report.slices if group.slice == "country") == report.customers
    assert rows["slice", "customers", "country: domestic"]["value"] == report.slices[0].customers


def test_training_when_only_one_snapshot_is_complete_then_named_error(
    churn_spec: ModelSpec, churn_data: Dataset
) -> None:
    with pytest.raises(NotEnoughHistory, match="complete before"):
        train(churn_spec, churn_data.at(churn_data.snapshots[0]))


def test_training_when_season_feature_is_missing_then_named_error(
    churn_spec: ModelSpec, churn_table: pa.Table, churn_data: Dataset
) -> None:
    kept = tuple(name for name in churn_data.features if name != "as_of_day_of_year")
    with pytest.raises(InvalidModelSpec, match="day_of_year"):
        train(churn_spec, dataset_of(churn_table, kept))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.drop_columns(["label"]), "column label is missing"),
        (lambda t: t.drop_columns(["recency_days"]), "recency_days is missing"),
        (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "stands twice"),
        (lambda t: _with(t, "label", [2] * t.num_rows), "column label"),
        (lambda t: _with(t, "label", [None, *[1] * (t.num_rows - 1)]), "holds nulls"),
        (lambda t: _with(t, "recency_days", ["x"] * t.num_rows), "is no number"),
        (lambda t: _with(t, "recency_days", [float("inf")] * t.num_rows), "infinite"),
    ],
)
def test_dataset_when_table_is_wrong_then_error_names_it(churn_data: Dataset, churn_table, change, words) -> None:
    with pytest.raises(InvalidTrainingData, match=words):
        dataset_of(change(churn_table), churn_data.features)


def test_matrix_when_types_differ_then_nulls_are_nan_and_booleans_zero_or_one() -> None:
    from decimal import Decimal

    table = pa.table({"flag": [True, None, False], "money": pa.array([Decimal("1.2500"), None, Decimal(3)])})
    matrix = to_matrix(table, ["money", "flag"])
    assert matrix.dtype == np.float32
    np.testing.assert_array_equal(matrix, np.array([[1.25, 1], [np.nan, np.nan], [3, 0]], np.float32))


def test_recipe_when_missing_then_named_error(tmp_path, churn_spec: ModelSpec) -> None:
    with pytest.raises(InvalidRecipe, match="missing"):
        load_recipe(churn_spec.model_copy(update={"folder": tmp_path}))
    (tmp_path / "recipe.py").write_text("def fit(): ...\n")
    with pytest.raises(InvalidRecipe, match="lacks fit_ranking"):
        load_recipe(churn_spec.model_copy(update={"folder": tmp_path}))


def test_trees_when_fitted_then_leave_the_level_to_the_intercepts(churn_spec: ModelSpec, churn_data: Dataset) -> None:
    # Churn is rare here: trees without an offset would have to say so themselves.
    rare = replace(churn_data, label=churn_data.label * (np.arange(len(churn_data)) % 4 == 0))
    ranking = load_recipe(churn_spec).fit_ranking(rare, churn_spec, churn_spec.algorithm.defaults)
    trees = ranking.margin(rare.matrix) - ranking.linear.score(rare.matrix)
    assert rare.label.mean() < 0.2
    assert abs(trees.mean()) < 0.1
