"""Registration asks the warehouse whether the artifact at hand is the one that was judged; the gate asks the rest."""

from pathlib import Path

import duckdb
import pytest

from athena_assets.lifecycle.artifact import Artifact, write_artifact
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.registration import NotJudged, judged_artifact
from athena_assets.lifecycle.training import TrainedModel
from athena_assets.lifecycle.training_run import ARTIFACT

MONTH = "2026-09-01"


@pytest.fixture
def artifact(tmp_path: Path, trained: TrainedModel, churn_data: Dataset) -> Artifact:
    return write_artifact(tmp_path / ARTIFACT, trained.model, {}, churn_data.matrix[:50])


def warehouse(artifact_hash: str) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE trained (month DATE, artifact_hash VARCHAR)")
    connection.execute("INSERT INTO trained VALUES ('2026-09-01', ?)", [artifact_hash])
    return connection


def test_judged_artifact_when_the_artifact_is_the_months_then_it_is_given_back(artifact: Artifact) -> None:
    found = judged_artifact(warehouse(artifact.version), "trained", artifact.folder.parent, MONTH)
    assert found.version == artifact.version


def test_judged_artifact_when_another_artifact_lies_there_then_it_is_not_registered(artifact: Artifact) -> None:
    with pytest.raises(NotJudged, match="athena train"):
        judged_artifact(warehouse("another"), "trained", artifact.folder.parent, MONTH)
