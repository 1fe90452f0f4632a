"""Registration asks the warehouse itself: the artifact at hand was judged, and passed every gate."""

from pathlib import Path

import duckdb
import pytest

from athena_assets.lifecycle.artifact import Artifact, write_artifact
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.registration import NotJudged, RefusedByGate, refuse_unjudged
from athena_assets.lifecycle.training import TrainedModel
from athena_assets.lifecycle.training_run import ARTIFACT, PASSED, REFUSED

MONTH = "2026-09-01"


@pytest.fixture
def artifact(tmp_path: Path, trained: TrainedModel, churn_data: Dataset) -> Artifact:
    return write_artifact(tmp_path / ARTIFACT, trained.model, {}, churn_data.matrix[:50])


def warehouse(artifact_hash: str, *verdicts: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE trained (month DATE, artifact_hash VARCHAR)")
    connection.execute("INSERT INTO trained VALUES ('2026-09-01', ?)", [artifact_hash])
    connection.execute(
        "CREATE TABLE evaluation (month DATE, section VARCHAR, name VARCHAR, slice VARCHAR, words VARCHAR)"
    )
    for number, state in enumerate(verdicts):
        connection.execute(
            "INSERT INTO evaluation VALUES ('2026-09-01', 'gate', ?, ?, 'said so')", [f"gate {number}", state]
        )
    return connection


def test_refuse_unjudged_when_the_artifact_was_judged_and_passed_then_nothing_happens(artifact: Artifact) -> None:
    refuse_unjudged(warehouse(artifact.version, PASSED, PASSED), "trained", "evaluation", artifact.folder.parent, MONTH)


@pytest.mark.parametrize("verdicts", [(PASSED, REFUSED), ()])
def test_refuse_unjudged_when_a_gate_refused_or_none_spoke_then_it_says_so(
    artifact: Artifact, verdicts: tuple[str, ...]
) -> None:
    with pytest.raises(RefusedByGate, match="2026-09"):
        refuse_unjudged(warehouse(artifact.version, *verdicts), "trained", "evaluation", artifact.folder.parent, MONTH)


def test_refuse_unjudged_when_another_artifact_lies_there_then_it_is_not_registered(artifact: Artifact) -> None:
    with pytest.raises(NotJudged, match="athena train"):
        refuse_unjudged(warehouse("another", PASSED), "trained", "evaluation", artifact.folder.parent, MONTH)
