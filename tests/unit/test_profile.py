"""How far a night has moved from what a model was trained on."""

import json
import math
from datetime import date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.lifecycle.artifact import read_profile, write_artifact
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.drift_rules import drift_check, judge_drift
from athena_assets.lifecycle.model_spec import Monitoring, find_model
from athena_assets.lifecycle.profile import (
    PIECE,
    FeatureProfile,
    Histogram,
    as_json,
    from_json,
    histograms_of_night,
    profile_of,
    psi,
)
from athena_assets.lifecycle.training import TrainedModel
from athena_assets.predictions.prediction_contract import candidate_contract

VALUES = st.lists(st.one_of(st.just(math.nan), st.integers(-1000, 1000).map(float)), min_size=1, max_size=200)
NIGHT = date(2026, 1, 1)


def dataset(values: list[float]) -> Dataset:
    rows = len(values)
    return Dataset(
        ("x",),
        np.full(rows, np.datetime64(datetime(2026, 1, 1), "us")),
        np.array([str(row) for row in range(rows)], dtype=object),
        np.zeros(rows),
        np.array(values, dtype=np.float32).reshape(-1, 1),
    )


def night_of(values: list[float], kind: str = "DOUBLE") -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE features (night DATE, x {kind})")
    connection.executemany(
        "INSERT INTO features VALUES (?, ?)", [(NIGHT, None if math.isnan(value) else value) for value in values]
    )
    return connection


@settings(deadline=None)
@given(VALUES)
def test_profile_when_the_night_is_the_training_set_then_nothing_has_moved(values: list[float]) -> None:
    profile = profile_of(dataset(values), ["x"])
    with night_of(values) as connection:
        found = histograms_of_night(connection, "features", NIGHT, profile)
    assert found["x"] == profile["x"].histogram
    assert found["x"].rows == len(values)
    assert psi(profile["x"].histogram, found["x"]) == pytest.approx(0)
    assert profile["x"].usual == pytest.approx(0)


@settings(deadline=None)
@given(VALUES, VALUES)
def test_psi_when_two_nights_differ_then_it_is_positive_and_the_same_both_ways(
    before: list[float], after: list[float]
) -> None:
    profile = profile_of(dataset(before), ["x"])
    with night_of(after) as connection:
        now = histograms_of_night(connection, "features", NIGHT, profile)["x"]
    trained_on = profile["x"].histogram
    assert psi(trained_on, now) >= 0
    assert psi(trained_on, now) == pytest.approx(psi(now, trained_on))


def test_psi_when_it_is_worked_out_by_hand_then_it_is_that() -> None:
    before, now = Histogram((1.0,), (50, 40), 10), Histogram((1.0,), (20, 70), 10)
    assert psi(before, now) == pytest.approx((0.2 - 0.5) * math.log(0.2 / 0.5) + (0.7 - 0.4) * math.log(0.7 / 0.4))


def test_psi_when_a_bin_is_empty_then_it_counts_as_half_a_row() -> None:
    before, now = Histogram((1.0,), (50, 50), 0), Histogram((1.0,), (100, 0), 0)
    assert math.isfinite(psi(before, now))
    assert psi(before, now) > 0.2


@pytest.mark.parametrize(("kind", "values"), [("BOOLEAN", [0.0, 1.0, 1.0]), ("DECIMAL(18,4)", [0.1, 0.1, 7.3])])
def test_profile_when_the_column_is_no_double_then_its_heaps_still_fall_into_their_bins(
    kind: str, values: list[float]
) -> None:
    profile = profile_of(dataset(values), ["x"])
    with night_of(values, kind) as connection:
        assert histograms_of_night(connection, "features", NIGHT, profile) == {"x": profile["x"].histogram}


ODD = st.sampled_from([math.nan, math.inf, -math.inf, 0.1, float(np.float32(0.1)), -0.0, 16777217.0, 1e-46, 3.5e38])


@settings(deadline=None)
@given(
    st.lists(st.none() | ODD | st.floats(-2, 2), max_size=40),
    st.sets(ODD.filter(lambda edge: abs(edge) < 1e38) | st.floats(-2, 2), max_size=9),
)
def test_night_when_values_and_edges_are_odd_then_every_bin_has_the_rows_that_sql_finds_in_it(
    values: list[float | None], edges: set[float]
) -> None:
    ends = sorted(edges)
    profile = {"x": FeatureProfile(Histogram(tuple(ends), (0,) * (len(ends) + 1), 0), 0.0)}
    real = "CAST(CAST(x AS REAL) AS DOUBLE)"
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE features (night DATE, x DOUBLE)")
        # What is above the greatest REAL cannot be a feature: the cast of the model's matrix would refuse it, too.
        rows = [value for value in values if value is None or abs(value) <= 1e38 or not math.isfinite(value)]
        for value in rows:
            connection.execute("INSERT INTO features VALUES (?, ?)", [NIGHT, value])
        found = histograms_of_night(connection, "features", NIGHT, profile)["x"]
        for low, high, count in zip([-math.inf, *ends], [*ends, math.inf], found.counts, strict=True):
            above = f"({real} > $low OR ($low = '-inf'::DOUBLE AND {real} = $low))"
            ((expected,),) = connection.execute(
                f"SELECT count(*) FROM features WHERE {above} AND {real} <= $high", {"low": low, "high": high}
            ).fetchall()
            assert count == expected, (low, high)
    assert found.nulls == rows.count(None)


def test_night_when_it_has_more_rows_than_a_piece_then_all_are_counted() -> None:
    rows = 2 * PIECE + 5
    profile = {"x": FeatureProfile(Histogram((99.0, 1000.0), (0, 0, 0), 0), 0.0)}
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE features AS SELECT DATE '{NIGHT}' AS night, nullif(range, 7) AS x FROM range({rows})"
        )
        found = histograms_of_night(connection, "features", NIGHT, profile)["x"]
        assert (found.counts, found.nulls) == ((99, 901, rows - 1001), 1)
        nothing = histograms_of_night(connection, "features", date(2026, 1, 2), profile)["x"]
        assert (nothing.counts, nothing.nulls) == ((0, 0, 0), 0)


def test_profile_when_the_table_lacks_a_feature_then_nothing_is_said_of_it() -> None:
    profile = profile_of(dataset([1.0]), ["x"])
    with night_of([1.0]) as connection:
        connection.execute("ALTER TABLE features RENAME x TO y")
        assert histograms_of_night(connection, "features", NIGHT, profile) == {}


SMALL = FeatureProfile(Histogram((1.0,), (500, 499), 0), 0.0)


@pytest.mark.parametrize(
    ("usual", "now", "status"),
    [
        (0.0, (500, 500), "passed"),
        (0.0, (800, 200), "failed"),
        (0.4, (800, 200), "passed"),
        (0.0, (799, 200), "not evaluated"),
    ],
)
def test_drift_when_a_feature_moved_further_than_in_training_then_it_is_told(
    usual: float, now: tuple[int, ...], status: str
) -> None:
    (rule,) = drift_check(find_model("churn"), ["x"]).rules
    trained_on = FeatureProfile(Histogram((1.0,), (5_000, 5_000), 0), usual)
    result = judge_drift(rule, trained_on, Histogram((1.0,), now, 0))
    assert result.status == status
    assert (rule.check, rule.severity) == ("drift_warnings", "WARN")
    assert judge_drift(rule, SMALL, Histogram((1.0,), (1_000, 0), 0)).status == "not evaluated"
    assert judge_drift(rule, None, Histogram((1.0,), now, 0)).status == "not evaluated"


def test_drift_when_the_model_stops_on_it_then_it_blocks() -> None:
    churn = find_model("churn")
    stops = churn.model_copy(update={"monitoring": Monitoring(stop_on=("drift", "positive_rate"))})
    assert (drift_check(stops, ["x"]).name, drift_check(stops, ["x"]).severity) == ("drift", "ERROR")
    severities = [
        [rule.severity for rule in candidate_contract(spec).rules if rule.id == "positive_rate"]
        for spec in (churn, stops)
    ]
    assert severities == [["WARN"], ["ERROR"]]


def test_profile_when_a_feature_moves_with_the_season_then_its_usual_distance_is_the_largest_of_a_snapshot() -> None:
    values = np.array([0.0, 1.0] * 10 + [1.0, 2.0] * 10, dtype=np.float32)
    as_of = np.array(["2026-01-01"] * 20 + ["2026-02-15"] * 20, dtype="datetime64[us]")
    names = np.array([str(row) for row in range(40)], dtype=object)
    data = Dataset(("x",), as_of, names, np.zeros(40), values.reshape(-1, 1))
    edges = (0.0, 1.0, 2.0)
    each = [Histogram(edges, (10, 10, 0, 0), 0), Histogram(edges, (0, 10, 10, 0), 0)]
    (profile,) = profile_of(data, ["x"]).values()
    assert profile.histogram == Histogram(edges, (10, 20, 10, 0), 0)
    assert profile.usual == pytest.approx(max(psi(profile.histogram, one) for one in each))
    assert profile.usual > 0.2


def test_artifact_when_it_is_written_with_a_profile_then_the_version_keeps_it(
    trained: TrainedModel, churn_data: Dataset, tmp_path: Path
) -> None:
    profile = profile_of(churn_data, ["orders_90d", "mean_gap_days"])
    written = write_artifact(tmp_path / "with", trained.model, {}, churn_data.matrix[:50], profile=profile)
    without = write_artifact(tmp_path / "without", trained.model, {}, churn_data.matrix[:50])
    assert read_profile(written.folder) == profile
    assert from_json(json.loads(json.dumps(as_json(profile)))) == profile
    assert read_profile(without.folder) == {}
    assert written.version != without.version
