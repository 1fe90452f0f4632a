"""The artifact: native and portable model agree, bytes repeat, damage is found, nothing is half-written."""

import json
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.errors import InvalidArgument
from athena_assets.lifecycle import artifact as artifacts
from athena_assets.lifecycle.artifact import (
    FILES,
    Artifact,
    InvalidArtifact,
    PortableModelDiffers,
    load_artifact,
    write_artifact,
)
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.fitted import InvalidDayOfYear
from athena_assets.lifecycle.model_spec import ModelSpec, ValueModel
from athena_assets.lifecycle.portable import portable_bytes, portable_probability, session
from athena_assets.lifecycle.scoring import (
    WrongFeatures,
    expected_value_at_risk,
    half_to_even,
    measure_packaging,
    score,
    tier_names,
)
from athena_assets.lifecycle.training import TrainedModel, train

FACTS = {"model": "churn", "feature_set_version": "abc"}


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, trained: TrainedModel, churn_data: Dataset) -> Artifact:
    return write_artifact(tmp_path_factory.mktemp("models") / "v1", trained.model, FACTS, churn_data.matrix)


def test_portable_model_when_rows_are_extreme_then_equals_native(written: Artifact, churn_data: Dataset) -> None:
    generator = np.random.default_rng(8)
    rows = np.repeat(churn_data.matrix[:50], 40, axis=0)
    wild = generator.uniform(size=rows.shape) < 0.2
    rows[wild] = generator.choice(np.array([0, -5, 1e-3, 1e7, np.nan], np.float32), int(wild.sum()))
    rows[:, written.model.day_column] = generator.integers(1, 367, len(rows))
    native = written.model.probability(rows)
    assert np.abs(native - portable_probability(written.portable, rows)).max() < 1e-5
    assert native.std() > 0.05


def test_portable_model_when_day_changes_then_level_changes(written: Artifact, churn_data: Dataset) -> None:
    rows = np.repeat(churn_data.matrix[:1], 366, axis=0)
    rows[:, written.model.day_column] = np.arange(1, 367)
    probability = portable_probability(written.portable, rows)
    margins = np.log(probability / (1 - probability))
    assert margins - margins[0] == pytest.approx(written.model.level - written.model.level[0], abs=1e-4)


def test_artifact_when_written_twice_from_the_same_data_then_the_same_bytes(
    tmp_path: Path, written: Artifact, churn_spec: ModelSpec, churn_data: Dataset
) -> None:
    again = write_artifact(tmp_path / "v2", train(churn_spec, churn_data).model, FACTS, churn_data.matrix)
    for name in (*FILES, "manifest.json"):
        assert (again.folder / name).read_bytes() == (written.folder / name).read_bytes(), name
    assert again.version == written.version


def test_artifact_when_loaded_then_predicts_exactly_as_before(
    written: Artifact, trained: TrainedModel, churn_data: Dataset
) -> None:
    loaded = load_artifact(written.folder)
    assert np.array_equal(loaded.model.probability(churn_data.matrix), trained.model.probability(churn_data.matrix))
    assert loaded.manifest["feature_set_version"] == "abc"
    assert loaded.manifest["libraries"]["xgboost"]


def test_artifact_when_written_then_holds_no_pickle_and_nothing_else(written: Artifact) -> None:
    assert {path.name for path in written.folder.iterdir()} == {*FILES, "manifest.json"}
    assert {path.name for path in written.folder.parent.iterdir()} == {written.folder.name}
    assert (written.folder / "model.ubj").read_bytes()[:2] != b"\x80\x04"


def test_artifact_when_a_fact_cannot_be_said_in_json_then_named_error_and_nothing_left(
    tmp_path: Path, trained: TrainedModel, churn_data: Dataset
) -> None:
    with pytest.raises(InvalidArtifact, match="JSON cannot say"):
        write_artifact(tmp_path / "v1", trained.model, {"auc": float("nan")}, churn_data.matrix)
    assert list(tmp_path.iterdir()) == []


def test_artifact_when_portable_differs_then_named_error_and_nothing_left(
    tmp_path: Path, trained: TrainedModel, churn_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    shifted = replace(trained.model, level=trained.model.level + 0.001)
    monkeypatch.setattr(artifacts, "portable_bytes", lambda model: portable_bytes(shifted))
    with pytest.raises(PortableModelDiffers, match="differ on row"):
        write_artifact(tmp_path / "v1", trained.model, FACTS, churn_data.matrix)
    assert list(tmp_path.iterdir()) == []


def test_artifact_when_probability_is_nan_then_refused(
    tmp_path: Path, trained: TrainedModel, churn_data: Dataset
) -> None:
    broken = replace(trained.model, level=np.full(366, np.nan))
    with pytest.raises(PortableModelDiffers):
        write_artifact(tmp_path / "v1", broken, FACTS, churn_data.matrix)
    with pytest.raises(PortableModelDiffers, match="cannot be compared"):
        write_artifact(tmp_path / "v1", trained.model, FACTS, churn_data.matrix[:0])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
def test_artifact_when_a_file_is_damaged_then_named_error(tmp_path: Path, written: Artifact, name: str) -> None:
    copy = tmp_path / "v1"
    copy.mkdir()
    for path in written.folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(content)
    with pytest.raises(InvalidArtifact, match=name):
        load_artifact(copy)
    (copy / name).unlink()
    with pytest.raises(InvalidArtifact, match="is no artifact"):
        load_artifact(copy)


def test_artifact_when_the_version_exists_then_not_overwritten(written: Artifact, churn_data: Dataset) -> None:
    before = (written.folder / "manifest.json").read_bytes()
    with pytest.raises(InvalidArtifact, match="exists already"):
        write_artifact(written.folder, written.model, {"model": "other"}, churn_data.matrix)
    assert (written.folder / "manifest.json").read_bytes() == before


def test_score_when_chunked_then_equal_and_six_decimals(
    written: Artifact, churn_data: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = score(written, churn_data.matrix, churn_data.features)
    monkeypatch.setattr("athena_assets.lifecycle.pieces.ROWS", 37)
    assert np.array_equal(whole, score(written, churn_data.matrix, churn_data.features))
    assert np.array_equal(whole, np.round(whole, 6))
    assert whole == pytest.approx(written.model.probability(churn_data.matrix), abs=5e-7)


def test_score_when_columns_are_swapped_then_named_error(written: Artifact, churn_data: Dataset) -> None:
    with pytest.raises(WrongFeatures, match="first difference"):
        score(written, churn_data.matrix[:, ::-1], churn_data.features[::-1])
    with pytest.raises(WrongFeatures):
        score(written, churn_data.matrix[:, 1:], churn_data.features)


@pytest.mark.parametrize("day", [0, 367, np.nan])
def test_score_when_day_of_year_is_none_then_named_error(written: Artifact, churn_data: Dataset, day: float) -> None:
    rows = churn_data.matrix[:3].copy()
    rows[1, written.model.day_column] = day
    with pytest.raises(InvalidDayOfYear, match="as_of_day_of_year"):
        score(written, rows, churn_data.features)


def test_packaging_when_measured_then_one_row_fits_the_gate(written: Artifact, churn_data: Dataset) -> None:
    found = measure_packaging(written, churn_data.matrix, repeats=50)
    assert 0 < found.latency_p50_ms <= found.latency_p99_ms
    assert found.size_bytes == sum(path.stat().st_size for path in written.folder.iterdir())
    assert found.largest_difference < 1e-5


@given(
    st.integers(0, 10**6),
    st.decimals(-(10**8), 9 * 10**8, places=4, allow_nan=False),
    st.decimals("0.0001", 1, places=4),
    st.integers(1, 3650),
)
@settings(max_examples=60, deadline=None)
def test_value_at_risk_when_compared_with_fractions_then_exact_to_the_cent(
    millionths: int, spend: Decimal, margin: Decimal, days: int
) -> None:
    value = ValueModel(margin_rate=margin, horizon_days=days, spend_feature="spend_365d")
    found = expected_value_at_risk(np.array([millionths / 1e6]), np.array([int(spend.scaleb(4))]), value)
    exact = Fraction(millionths, 10**6) * Fraction(spend) * Fraction(margin) * Fraction(days, 365)
    # Python rounds a fraction half to even.
    assert found.tolist() == [round(exact * 100)]


@given(st.lists(st.integers(-(10**12), 10**12), min_size=1), st.integers(1, 10**6), st.integers(1, 10**6))
@settings(max_examples=200, deadline=None)
def test_half_to_even_when_halves_are_common_then_it_is_what_python_rounds_to(
    amounts: list[int], above: int, below: int
) -> None:
    for factor in (Fraction(above, below), Fraction(1, 2), Fraction(above, 4)):
        found = half_to_even(np.array(amounts), factor)
        assert found.tolist() == [round(amount * factor) for amount in amounts]


def test_value_at_risk_when_a_spend_is_beyond_reason_then_named_error(churn_spec: ModelSpec) -> None:
    with pytest.raises(InvalidArgument, match="too large"):
        expected_value_at_risk(np.array([0.5]), np.array([10**13]), churn_spec.value)


def test_value_at_risk_when_lengths_differ_then_named_error(churn_spec: ModelSpec) -> None:
    with pytest.raises(InvalidArgument, match="2 amounts"):
        expected_value_at_risk(np.array([0.1, 0.2]), np.array([10_000]), churn_spec.value)


def test_tiers_when_at_a_threshold_then_the_higher_one() -> None:
    tiers = {"high": 0.75, "medium": 0.5, "low": 0.0}
    named = tier_names(np.array([0.0, 0.499999, 0.5, 0.75, 1.0]), tiers)
    assert named.to_pylist() == ["low", "low", "medium", "high", "high"]


def test_session_when_opened_then_input_is_named_and_sized(written: Artifact) -> None:
    running = session((written.folder / "model.onnx").read_bytes())
    (described,) = running.get_inputs()
    assert (described.name, described.shape) == ("features", ["rows", len(written.model.features)])
    assert json.loads((written.folder / "manifest.json").read_text())["features"] == list(written.model.features)
