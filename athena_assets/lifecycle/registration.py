"""What stands before registration beside the gate: the very artifact at hand is the one that was judged.

The gate asks whether the month's evaluation passed. It cannot see files: a killed training may leave an artifact that
the warehouse has never heard of.
"""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.artifact import Artifact, load_artifact
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.training_run import ARTIFACT, REPORT
from resources.registry import ModelRegistry, NoChampion, Stage

if TYPE_CHECKING:
    import duckdb


class NotJudged(AthenaError):
    """The artifact at hand is not the one that was judged."""


def judged_artifact(connection: "duckdb.DuckDBPyConnection", trained: str, folder: Path, month: str) -> Artifact:
    """The artifact in `folder`; raises `NotJudged` unless it is the month's.

    trained: address of the model's table of trainings. month: `YYYY-MM-01`.
    """
    artifact = load_artifact(folder / ARTIFACT)
    recorded = connection.execute(
        f"SELECT artifact_hash FROM {trained} WHERE month = CAST($month AS DATE)", {"month": month}
    ).fetchall()
    if recorded != [(artifact.version,)]:
        raise NotJudged(
            f"the artifact of {month[:7]} is not the one that {trained} describes",
            expected=str(recorded[0][0]) if recorded else "a training of that month",
            found=artifact.version,
            next_command=f"athena train --month {month[:7]}",
        )
    return artifact


def refuse_other(registered: Path, judged: Artifact, month: str) -> None:
    """Raise `NotJudged` unless what was registered, in its own folder, is what was judged.

    The candidate's folder may be written again while it is being copied into the registry.
    """
    found = load_artifact(registered).version
    if found != judged.version:
        raise NotJudged(
            f"the artifact of {month[:7]} was written again while it was being registered",
            expected=judged.version,
            found=f"{found}, which stays in development",
            next_command=f"athena train --month {month[:7]}",
        )


def register_and_promote(
    spec: ModelSpec, registry: ModelRegistry, artifact: Artifact, *, month: str, run_id: str, actor: str
) -> tuple[str, str, str]:
    """Register what the gate has passed and bring it to production; returns version, stage reached, and why.

    artifact: in the folder in which its training left it.
    A version that stands in production already stays there, so a rerun changes nothing.
    """
    manifest = artifact.manifest
    version = registry.register(
        spec.name,
        artifact.folder,
        manifest=manifest,
        metrics=manifest["metrics"],
        params=manifest["parameters"],
        tags={
            "data_hash": manifest["data_sha256"],
            "code_version": manifest["code_version"],
            "feature_list": json.dumps(manifest["features"]),
            "pipeline_run_id": run_id,
        },
        at=datetime.now(UTC),
        report_path=artifact.folder.parent / REPORT,
        actor=actor,
    )
    reason = f"trained on {month[:7]}, passed every gate on {manifest['judged_on']}"
    evidence = {"metrics": manifest["metrics"], "run_id": run_id}
    registered = registry.version(spec.name, version)
    refuse_other(registered.path, artifact, month)
    stage = registered.stage
    newest = manifest["training_snapshots"][-1]
    standing = _standing_snapshot(registry, spec.name)
    if stage is not Stage.PRODUCTION and standing is not None and standing > newest:
        return version, stage.value, f"{reason}; not promoted: the champion was trained on {standing}, this on {newest}"
    for target in (Stage.STAGING, Stage.PRODUCTION):
        if stage in (Stage.PRODUCTION, target):
            continue
        stage = registry.promote(
            spec.name, version, target, reason=reason, actor=actor, at=datetime.now(UTC), evidence=evidence
        ).stage
    return version, stage.value, reason


def _standing_snapshot(registry: ModelRegistry, model: str) -> str | None:
    """The newest snapshot (`YYYY-MM-DD`) that the champion was trained on; None where there is no champion."""
    try:
        return str(registry.champion(model).manifest["training_snapshots"][-1])
    except NoChampion:
        return None
