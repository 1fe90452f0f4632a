"""Snapshot calendar, labels and gates."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import cast

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.lifecycle.artifact import Artifact
from athena_assets.lifecycle.gates import Packaging, judge, judge_figures, refused
from athena_assets.lifecycle.metrics import Estimate
from athena_assets.lifecycle.model_spec import ModelSpec, SliceGate, SnapshotPolicy, find_model
from athena_assets.lifecycle.snapshots import NotEnoughHistory, complete_snapshots, plan_snapshots
from athena_assets.lifecycle.training import TrainedModel
from athena_assets.lifecycle.training_run import TrainingRun, figures_of_rows

POLICY = SnapshotPolicy(spacing_days=45, minimum_history_days=180, maximum_rows=1_000_000)
FIRST = datetime(2010, 1, 1)
FINE = Packaging(size_bytes=300_000, latency_p50_ms=0.05, latency_p99_ms=0.2, largest_difference=1e-7)


@given(st.integers(0, 1500))
@settings(max_examples=100, deadline=None)
def test_calendar_when_made_then_labels_are_complete_and_history_long_enough(length: int) -> None:
    as_of = FIRST + timedelta(days=length)
    days = complete_snapshots(FIRST, as_of, horizon_days=90, policy=POLICY)
    assert all(FIRST + timedelta(days=180) <= day <= as_of - timedelta(days=90) for day in days)
    assert list(days) == sorted(set(days))
    assert bool(days) == (length >= 270)
    if days:
        assert days[-1] == as_of - timedelta(days=90)
        assert all(
            day - timedelta(days=365) in days
            for day in days
            if day - timedelta(days=365) >= FIRST + timedelta(days=180)
        )


def test_calendar_when_two_years_long_then_spaced_and_repeating() -> None:
    as_of = datetime(2012, 1, 1)
    days = complete_snapshots(FIRST, as_of, horizon_days=90, policy=POLICY)
    gaps = {(later - earlier).days for earlier, later in pairwise(days)}
    assert gaps == {45, 50}


def test_plan_when_made_then_training_labels_close_before_the_evaluation_begins() -> None:
    days = tuple(datetime(2010, 6, 1) + timedelta(days=45 * k) for k in range(7))
    plan = plan_snapshots(days, horizon_days=90)
    assert plan.evaluation == days[-1]
    assert plan.training == days[:5]
    assert plan.refit == days


def test_plan_when_history_is_short_then_named_error() -> None:
    with pytest.raises(NotEnoughHistory, match="2010-06-01, 2010-07-16"):
        plan_snapshots((datetime(2010, 6, 1), datetime(2010, 7, 16)), horizon_days=90)
    with pytest.raises(NotEnoughHistory, match="no complete snapshot"):
        plan_snapshots((), horizon_days=90)


AS_OF = datetime(2011, 1, 1)


@pytest.fixture
def orders() -> Iterator[duckdb.DuckDBPyConnection]:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA orders")
    connection.execute(
        "CREATE TABLE orders.all_orders"
        " (customer_id VARCHAR, order_ts TIMESTAMP, known_at TIMESTAMP, is_return BOOLEAN,"
        " order_id VARCHAR DEFAULT uuid(), is_correction BOOLEAN DEFAULT false)"
    )
    yield connection
    connection.close()


def _labels(connection: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, float, float, bool]]) -> dict[str, int]:
    """rows: (customer, days from as_of to the order, days from as_of until known, is_return)."""
    day = timedelta(days=1)
    connection.executemany(
        "INSERT INTO orders.all_orders (customer_id, order_ts, known_at, is_return) VALUES (?, ?, ?, ?)",
        [(who, AS_OF + ordered * day, AS_OF + known * day, returned) for who, ordered, known, returned in rows],
    )
    return _labels_found(connection)


def _labels_found(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    end = AS_OF + timedelta(days=90)
    found = connection.execute(
        find_model("churn").labels_sql,
        {
            "as_of": AS_OF,
            "cutoff": AS_OF + timedelta(hours=2),
            "label_end": end,
            "label_cutoff": end + timedelta(hours=2),
        },
    ).fetchall()
    assert all(as_of == AS_OF for _, as_of, _ in found)
    return {customer: label for customer, _, label in found}


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ([("a", -1, 0, False)], {"a": 1}),
        ([("a", -1, 0, False), ("a", 0, 1, False)], {"a": 0}),
        ([("a", -365, -364, False)], {"a": 1}),
        ([("a", -365.1, -364, False)], {}),
        ([("a", -1, 0, True)], {}),
        ([("a", -1, 1, False)], {}),
        ([("a", -1, 0, False), ("a", 89.9, 90, False)], {"a": 0}),
        ([("a", -1, 0, False), ("a", 90, 90, False)], {"a": 1}),
        ([("a", -1, 0, False), ("a", 30, 31, True)], {"a": 1}),
        ([("a", -1, 0, False), ("a", 30, 120, False)], {"a": 1}),
        ([(None, -1, 0, False)], {}),
        ([("a", 5, 6, False)], {}),
    ],
)
def test_label_when_orders_are_these_then_population_and_truth_are(
    orders: duckdb.DuckDBPyConnection, rows: list, expected: dict[str, int]
) -> None:
    assert _labels(orders, rows) == expected


@pytest.mark.parametrize(
    ("versions", "expected"),
    [
        # Each: (customer, days from as_of to the order, days until known, is_return); b keeps one of them company.
        ([("a", -5, -4, False), ("a", -5, 0, True)], {"b": 1}),
        ([("a", -5, -4, False), ("a", -5, 1, True)], {"a": 1, "b": 1}),
        ([("a", -5, -4, True), ("a", -5, -2, False)], {"a": 1, "b": 1}),
        ([("a", -5, -4, False), ("a", -5, -3, True), ("a", -5, -2, False)], {"a": 1, "b": 1}),
        ([("a", -5, -4, False), ("a", -400, -2, False)], {"b": 1}),
        ([("a", -5, -4, False), ("c", -5, -2, False)], {"b": 1, "c": 1}),
        ([("b", 30, 31, False), ("b", 30, 40, True)], {"b": 1}),
        ([("b", 30, 31, False), ("b", 30, 91, True)], {"b": 0}),
        ([("b", 30, 31, True), ("b", 30, 40, False)], {"b": 0}),
        ([("b", 30, 31, False), ("b", 95, 40, False)], {"b": 1}),
    ],
)
def test_label_when_an_order_was_corrected_then_it_counts_in_the_version_known_by_then(
    orders: duckdb.DuckDBPyConnection, versions: list, expected: dict[str, int]
) -> None:
    day = timedelta(days=1)
    orders.executemany(
        "INSERT INTO orders.all_orders VALUES (?, ?, ?, ?, ?, ?)",
        [
            ("b", AS_OF - 9 * day, AS_OF - 8 * day, False, "another", False),
            *(
                (who, AS_OF + ordered * day, AS_OF + known * day, returned, "corrected", number > 0)
                for number, (who, ordered, known, returned) in enumerate(versions)
            ),
        ],
    )
    assert _labels_found(orders) == expected


def test_gates_when_all_is_well_then_all_pass_and_say_why(trained: TrainedModel, churn_spec: ModelSpec) -> None:
    verdicts = judge(trained.judged.report, FINE, churn_spec.gates.model_copy(update={"maximum_brier": 0.25}))
    assert refused(verdicts) == ()
    assert all(verdict.words for verdict in verdicts)
    assert {"auc", "brier", "not_worse_than.logistic", "latency_ms"} <= {verdict.name for verdict in verdicts}


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("auc", {"metrics": {"auc": 0.69}}),
        ("auc", {"metrics": {"auc": float("nan")}}),
        ("brier", {"metrics": {"brier": 0.31}}),
        ("calibration_error", {"metrics": {"calibration_error": 0.2}}),
        ("level_error", {"metrics": {"level_error": -0.2}}),
        ("latency_ms", {"packaging": {"latency_p99_ms": 80.0}}),
        ("size_mb", {"packaging": {"size_bytes": 50_000_000}}),
    ],
)
def test_gates_when_one_limit_is_broken_then_exactly_that_verdict_refuses(
    trained: TrainedModel, churn_spec: ModelSpec, gate: str, change: dict
) -> None:
    report = trained.judged.report
    metrics = {name: Estimate(value, value, value) for name, value in change.get("metrics", {}).items()}
    report = replace(report, metrics={**report.metrics, **metrics})
    packaging = replace(FINE, **change.get("packaging", {}))
    limits = churn_spec.gates.model_copy(update={"maximum_brier": 0.25})
    assert [verdict.name for verdict in refused(judge(report, packaging, limits))] == [gate]


def test_gates_when_worse_than_a_baseline_by_a_hair_then_refused_with_words(
    trained: TrainedModel, churn_spec: ModelSpec
) -> None:
    report = trained.judged.report
    worse = replace(report.baselines[-1], difference=Estimate(-0.0001, -0.01, 0.01))
    report = replace(report, baselines=(*report.baselines[:-1], worse))
    limits = churn_spec.gates.model_copy(update={"maximum_brier": 0.25})
    (verdict,) = refused(judge(report, FINE, limits))
    assert verdict.name == "not_worse_than.logistic"
    lenient = limits.model_copy(update={"not_worse_than_baselines": False})
    assert refused(judge(report, FINE, lenient)) == ()


def test_gates_when_a_large_group_ranks_badly_then_refused_and_a_small_one_is_not(
    trained: TrainedModel, churn_spec: ModelSpec
) -> None:
    report = trained.judged.report
    poor = replace(report.slices[0], auc=Estimate(0.5, 0.4, 0.6), customers=5000)
    limits = churn_spec.gates.model_copy(update={"maximum_brier": 0.25})
    found = refused(judge(replace(report, slices=(poor,)), FINE, limits))
    assert [verdict.name for verdict in found] == [f"slice.{poor.slice}.{poor.band}"]
    assert refused(judge(replace(report, slices=(replace(poor, customers=50),)), FINE, limits)) == ()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"minimum_auc": 0.95, "maximum_brier": 0.01, "maximum_level_error": 0.0001},
        {"slices": SliceGate(minimum_auc=0.99, minimum_customers=1)},
        {"not_worse_than_baselines": False, "maximum_latency_ms": 0.001, "maximum_size_mb": 0.001},
    ],
)
def test_figures_when_read_back_from_the_evaluation_then_any_limits_judge_them_alike(
    trained: TrainedModel, churn_spec: ModelSpec, change: dict
) -> None:
    report, limits = trained.judged.report, churn_spec.gates.model_copy(update=change)
    training_day = TrainingRun(trained, cast(Artifact, None), FINE, judge(report, FINE, churn_spec.gates))
    again = judge_figures(figures_of_rows(training_day.evaluation_rows()), limits)
    assert again == judge(report, FINE, limits)
    assert bool(refused(again)) == bool(change)


def test_figures_when_the_evaluation_lacks_one_then_its_gate_refuses(
    trained: TrainedModel, churn_spec: ModelSpec
) -> None:
    limits = churn_spec.gates.model_copy(update={"maximum_brier": 0.25})
    run = TrainingRun(trained, cast(Artifact, None), FINE, judge(trained.judged.report, FINE, limits))
    for name in ("auc", "brier", "calibration_error", "level_error", "latency_ms", "size_mb"):
        rows = [row for row in run.evaluation_rows() if row[1] != name or row[0] == "slice"]
        assert [one.name for one in refused(judge_figures(figures_of_rows(rows), limits))] == [name]
