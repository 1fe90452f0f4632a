"""MLflow behind the registry: runs, versions, aliases. The only module that imports it, and only when called.

Callers hold the registry's lock: MLflow's own initialisation of a new database fails when two processes do it
at once (docs/decisions/0007-the-champion-is-a-folder.md).
"""

import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

CONTENT_TAG = "artifact_sha256"
STAGE_TAG = "stage"
ALIASES = ("staging", "production")


@dataclass(frozen=True)
class Logged:
    """What MLflow calls a registered artifact."""

    version: str
    run_id: str


class Tracking:
    """The MLflow database and artifact store of one registry folder."""

    def __init__(self, folder: Path) -> None:
        self._database = folder / "mlflow.sqlite"
        self._artifacts = folder / "artifacts"

    def initialise(self) -> None:
        """Make the database if there is none, which takes MLflow 5-10 s."""
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
        for noisy in ("mlflow.store.db.utils", "alembic.runtime.migration"):
            logging.getLogger(noisy).setLevel(logging.WARNING)
        self._artifacts.mkdir(parents=True, exist_ok=True)
        if not self._database.exists():
            # Made aside and renamed, because MLflow cannot open a database that a killed process left half-made.
            with TemporaryDirectory(prefix=".incoming-", dir=self._database.parent) as aside:
                made = Path(aside, self._database.name)
                _client_of(made).search_experiments(max_results=1)
                made.replace(self._database)

    def log_version(
        self,
        model: str,
        artifact: Path,
        *,
        content_sha256: str,
        metrics: Mapping[str, float],
        params: Mapping[str, Any],
        tags: Mapping[str, str],
        report: Path | None,
        at: datetime,
    ) -> Logged:
        """Log one run with its artifacts and make a model version of it.

        A version that a crashed registration left without a ledger row is taken up instead of made again.
        """
        from mlflow.entities import Metric, Param

        client = self._client()
        for version in self._versions(model):
            if version.tags.get(CONTENT_TAG) == content_sha256:
                return Logged(str(version.version), version.run_id)
        experiment = self._experiment(model)
        for half_logged in client.search_runs([experiment], f"tags.{CONTENT_TAG} = '{content_sha256}'"):
            client.delete_run(half_logged.info.run_id)
        milliseconds = int(at.timestamp() * 1000)
        run = client.create_run(
            experiment,
            start_time=milliseconds,
            run_name=f"{model}-{at:%Y%m%d-%H%M%S}",
            tags={**tags, CONTENT_TAG: content_sha256},
        )
        run_id = run.info.run_id
        client.log_batch(
            run_id,
            metrics=[Metric(name, float(value), milliseconds, 0) for name, value in sorted(metrics.items())],
            params=[Param(name, str(value)) for name, value in sorted(params.items())],
        )
        client.log_artifacts(run_id, str(artifact), "model")
        if report is not None:
            client.log_artifact(run_id, str(report), "report")
        client.set_terminated(run_id, end_time=milliseconds)
        self._ensure_model(model)
        made = client.create_model_version(
            model,
            source=f"{run.info.artifact_uri}/model",
            run_id=run_id,
            tags={CONTENT_TAG: content_sha256, STAGE_TAG: "development"},
        )
        return Logged(str(made.version), run_id)

    def project(self, model: str, stages: Mapping[str, str], aliases: Mapping[str, str]) -> int:
        """Make tags and aliases of a model say what the ledger says; returns how many had to change."""
        client = self._client()
        changed = 0
        for version in self._versions(model):
            stage = stages.get(str(version.version))
            if stage is not None and version.tags.get(STAGE_TAG) != stage:
                client.set_model_version_tag(model, str(version.version), STAGE_TAG, stage)
                changed += 1
        present = {name: str(version) for name, version in client.get_registered_model(model).aliases.items()}
        for name in ALIASES:
            wanted = aliases.get(name)
            if present.get(name) == wanted:
                continue
            if wanted is None:
                client.delete_registered_model_alias(model, name)
            else:
                client.set_registered_model_alias(model, name, wanted)
            changed += 1
        return changed

    def _client(self) -> "MlflowClient":
        self.initialise()
        return _client_of(self._database)

    def _versions(self, model: str) -> list[Any]:
        found: list[Any] = []
        token = None
        while True:
            page = self._client().search_model_versions(f"name = '{model}'", page_token=token)
            found += page
            token = page.token
            if not token:
                return found

    def _experiment(self, model: str) -> str:
        known = self._client().get_experiment_by_name(model)
        if known is not None:
            return str(known.experiment_id)
        location = (self._artifacts / model).absolute().as_uri()
        return str(self._client().create_experiment(model, artifact_location=location))

    def _ensure_model(self, model: str) -> None:
        if not self._client().search_registered_models(f"name = '{model}'"):
            self._client().create_registered_model(model)


def _client_of(database: Path) -> "MlflowClient":
    from mlflow.tracking import MlflowClient

    uri = f"sqlite:///{database.absolute()}"
    return MlflowClient(tracking_uri=uri, registry_uri=uri)
