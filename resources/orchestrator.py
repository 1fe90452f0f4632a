"""Runs Athena's jobs from a command: the same jobs, storage and records as the Dagster UI."""

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from athena_assets.errors import AthenaError
from resources.settings import Settings

CONFIGURATION = Path(__file__).resolve().parent.parent / "dagster.yaml"


class RunFailed(AthenaError):
    """A run ended in failure; the message is the failed step's own."""


@dataclass(frozen=True)
class Outcome:
    """One finished run."""

    run_id: str
    job: str
    partition: str | None


def prepare_dagster_home(settings: Settings) -> Path:
    """Make `<home>/dagster` Dagster's home and set its environment; returns the folder."""
    folder = settings.dagster_home
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "dagster.yaml"
    if not target.exists() or target.read_bytes() != CONFIGURATION.read_bytes():
        shutil.copyfile(CONFIGURATION, target)
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ["ATHENA_DAGSTER_STORAGE"] = str(folder / "storage")
    return folder


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The Dagster instance of a home."""
    prepare_dagster_home(settings)
    return dg.DagsterInstance.get()


def execute(
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    job: str,
    *,
    partition: str | None = None,
    selection: Sequence[dg.AssetKey] | None = None,
    tags: Mapping[str, str] | None = None,
) -> Outcome:
    """Run a job in this process; raises `RunFailed` with the message of the first failed step."""
    definition = definitions.resolve_job_def(job)
    result = definition.execute_in_process(
        instance=instance,
        partition_key=partition,
        asset_selection=list(selection) if selection is not None else None,
        tags=dict(tags or {}),
        raise_on_error=False,
    )
    if not result.success:
        raise RunFailed(_first_failure(result, job, partition))
    return Outcome(result.run_id, job, partition)


def _first_failure(result: dg.ExecuteInProcessResult, job: str, partition: str | None) -> str:
    of_night = f" of {partition}" if partition else ""
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            detail = data.user_failure_data.description if data.user_failure_data else None
            if detail is None and data.error is not None:
                cause = data.error.cause or data.error
                detail = cause.message.strip()
            return f"{job}{of_night} stopped at {event.step_key}: {detail}"
    failed_checks = [
        evaluation
        for evaluation in result.get_asset_check_evaluations()
        if not evaluation.passed and evaluation.blocking
    ]
    if failed_checks:
        lines = [
            f"{evaluation.asset_key.to_user_string()} {evaluation.check_name}: {evaluation.description}"
            for evaluation in failed_checks
        ]
        return f"{job}{of_night} stopped by blocking checks:\n  " + "\n  ".join(lines)
    return f"{job}{of_night} failed (run {result.run_id})"
