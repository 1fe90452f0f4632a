"""A registered version as its readers see it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from resources.registry import artifacts
from resources.registry.ledger import Promotion, Stage


@dataclass(frozen=True)
class RegisteredModel:
    """One version and everything that says how it was made.

    `path` is the folder of the artifact. `files` maps each of its files to its SHA-256. `manifest`, `metrics`,
    `params` and `tags` are as registered. `report` is the evaluation report inside `path`, where one was given.
    """

    name: str
    version: str
    stage: Stage
    path: Path
    registered_at: datetime
    run_id: str
    artifact_sha256: str
    files: Mapping[str, str]
    manifest: Mapping[str, Any]
    metrics: Mapping[str, float]
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    report: Path | None

    def verify(self) -> "RegisteredModel":
        """This version, every byte as registered; raises `ArtifactTampered` naming the file that is not."""
        artifacts.verify(self.path, self.files, name=f"{self.name} version {self.version}")
        return self


def read_version(folder: Path, registration: Promotion, stage: Stage) -> RegisteredModel:
    """The version that this row of the ledger registered; raises `ArtifactTampered` when its record is another.

    The files themselves are not read: `RegisteredModel.verify` does that, before anything is loaded from them.
    """
    name, version = registration.model, registration.version
    record = artifacts.read_record(
        folder, record_sha256=registration.evidence["record_sha256"], name=f"{name} version {version}"
    )
    return RegisteredModel(
        name=name,
        version=version,
        stage=stage,
        path=folder,
        registered_at=registration.at,
        run_id=registration.run_id,
        artifact_sha256=record["artifact_sha256"],
        files=record["files"],
        manifest=record["manifest"],
        metrics=record["metrics"],
        params=record["params"],
        tags=record["tags"],
        report=folder / record["report"] if record["report"] is not None else None,
    )
