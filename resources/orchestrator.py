"""Runs Athena's jobs from a command: the same jobs, storage and records as the Dagster UI."""

import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
from dagster._core.definitions.data_version import CODE_VERSION_TAG, DATA_VERSION_TAG
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.definitions.partitions.context import partition_loading_context
from dagster._core.execution.api import execute_run
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.utils import make_new_run_id
from sqlalchemy.exc import SQLAlchemyError

from athena_assets.atomic import replace_text
from athena_assets.errors import AthenaError, InvalidArgument
from resources.abandoned_runs import close_abandoned_runs, this_process
from resources.disk import disk_full, is_full
from resources.meter import Meter
from resources.settings import Settings
from resources.warehouse import Warehouse

CONFIGURATION = Path(__file__).resolve().parent.parent / "dagster.yaml"
EVENT_LOG = """
# One engine, kept open: a night-shaped job costs a quarter of the stock storage or less (docs/benchmarks.md).
event_log_storage:
  module: resources.event_storage
  class: PooledSqliteEventLogStorage
  config:
    base_dir:
      env: ATHENA_DAGSTER_STORAGE
"""
"""What a home adds: Dagster reads the file at the top of the checkout for instances, too, that are no home's."""

EVENTS_AT_ONCE = 1_000
"""Planned events, and materialisations of many partitions, that Dagster hands to the event log as one transaction."""

WORKSPACE_ORIGIN = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("athena"), "__repository__")
"""Where the UI finds the jobs: the location that workspace.yaml names, and Dagster's name for its definitions."""

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
"""A command says what went wrong itself; every log line is in the event log, where the UI shows it."""


class RunFailed(AthenaError):
    """A run ended in failure; the message is the failed step's own."""


class RecordsBroken(AthenaError):
    """Dagster's own files, the records of all runs, cannot be used."""


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
    target, text = folder / "dagster.yaml", CONFIGURATION.read_text(encoding="utf-8") + EVENT_LOG
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        replace_text(target, text)
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ["ATHENA_HOME"] = str(settings.home)
    os.environ["ATHENA_DAGSTER_STORAGE"] = str(folder / "storage")
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENTS_AT_ONCE))
    return folder


class Orchestrator:
    """The jobs of one home, run in this process and recorded in its Dagster instance."""

    def __init__(self, settings: Settings, definitions: dg.Definitions) -> None:
        self._definitions = definitions
        self._meter = Meter(settings.home)
        self._warehouse = Warehouse.of(settings)
        self._folder = settings.dagster_home
        with self._records():
            prepare_dagster_home(settings)
            self.instance = dg.DagsterInstance.get()

    def execute(
        self,
        job: str,
        *,
        partition: str | None = None,
        group: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Outcome:
        """Run a job, or the assets of it that are in one group; raises `RunFailed` with the first failure's message.

        The whole run is metered beside its steps: what they leave of it is the orchestrator's overhead.
        """
        selected = self._keys_of(group) if group is not None else None
        definition = self._definitions.resolve_job_def(job)
        with self._records():
            partition_tags = _partition_tags(definition, partition, selected)
        return self._execute(job, selected, None, {**partition_tags, **(tags or {})}, partition)

    def check(self, address: str, first: str | None = None, last: str | None = None) -> Outcome:
        """Evaluate the checks of one asset again, and nothing else, for its partitions from `first` to `last`.

        Raises `RunFailed` when a blocking check fails.
        """
        key = dg.AssetKey(address.split("."))
        graph = self._definitions.resolve_asset_graph()
        checks = graph.get_check_keys_for_assets({key}) if graph.has(key) else frozenset()
        job = next((name for name in self._jobs() if key in self._assets_of(name)), None)
        if not checks or job is None:
            known = sorted({".".join(each.asset_key.path) for each in graph.asset_check_keys})
            raise InvalidArgument(f"{address} has no checks", expected=f"one of {', '.join(known)}", found=address)
        ends = (first, last or first)
        names = ("start", "end")
        tags = {f"dagster/asset_partition_range_{name}": end for name, end in zip(names, ends, strict=True) if end}
        if first is not None and first == ends[1]:
            tags = dict(_partition_tags(self._definitions.resolve_job_def(job), first, None))
        return self._execute(job, frozenset(), frozenset(checks), tags, first)

    def _jobs(self) -> list[str]:
        return [job.name for job in self._definitions.resolve_all_job_defs() if not job.name.startswith("__")]

    def tables_of(self, job: str) -> list[str]:
        """Addresses of what a job makes, sorted."""
        return sorted(".".join(key.path) for key in self._assets_of(job))

    def _assets_of(self, job: str) -> set[dg.AssetKey]:
        return set(self._definitions.resolve_job_def(job).asset_layer.executable_asset_keys)

    def _execute(
        self,
        job: str,
        selected: frozenset[dg.AssetKey] | None,
        checks: frozenset[dg.AssetCheckKey] | None,
        tags: Mapping[str, str],
        partition: str | None,
    ) -> Outcome:
        close_abandoned_runs(self.instance)
        run_id = make_new_run_id()
        definition = self._definitions.resolve_job_def(job)
        if checks is not None:
            # A run cannot be created with a selection of checks; a job that holds nothing else can.
            definition = definition.get_subset(asset_selection=set(), asset_check_selection=set(checks))
        # One moment for all: a closed data set has a thousand partitions after today, gone through for each moment.
        with self._records(), self._meter.measure_run(run_id), dg.partition_loading_context():
            # `execute_in_process` records no origin, and a run without one is in no job's list, not on the timeline
            # and cannot be run again from the UI.
            run = self.instance.create_run_for_job(
                definition,
                run_id=run_id,
                asset_selection=selected,
                tags={**definition.run_tags, **this_process(), **tags},
                run_config=QUIET,
                remote_job_origin=WORKSPACE_ORIGIN.get_job_origin(job),
            )
            result = execute_run(InMemoryJob(definition), run, self.instance)
            # Where that cannot be done now, nothing is lost, and the next write does it or says what is wrong.
            with suppress(AthenaError):
                self._warehouse.settle()
        if not result.success:
            raise _failure(result, job, partition)
        return Outcome(run_id, job, partition)

    def _keys_of(self, group: str) -> frozenset[dg.AssetKey]:
        graph = self._definitions.resolve_asset_graph()
        return frozenset(key for key in graph.materializable_asset_keys if graph.get(key).group_name == group)

    def done_partitions(self, address: str) -> set[str]:
        """Partitions of an asset that have been materialised."""
        with self._records():
            return set(self.instance.get_materialized_partitions(dg.AssetKey(address.split("."))))

    def is_current(self, address: str, data_version: str) -> bool:
        """Whether the asset's last materialisation was of this data and of today's code."""
        key = dg.AssetKey(address.split("."))
        with self._records():
            event = self.instance.get_latest_materialization_event(key)
        if event is None or event.asset_materialization is None:
            return False
        tags = event.asset_materialization.tags or {}
        spec = self._definitions.resolve_asset_graph().get(key)
        return tags.get(DATA_VERSION_TAG) == data_version and tags.get(CODE_VERSION_TAG) == spec.code_version

    @contextmanager
    def _records(self) -> Iterator[None]:
        """Name the failures of Dagster's own storage; what a step raises does not come through here."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error, OSError) as error:
            if is_full(error, self._folder.parent):
                raise disk_full(error, self._folder.parent) from error
            raise RecordsBroken(
                "the records of runs cannot be used",
                expected=f"Dagster's SQLite files in {self._folder}, writable",
                found=str(error).splitlines()[0],
                next_command=f"restore {self._folder}, or move it aside: it is made anew, without the old runs' logs",
            ) from error


def _partition_tags(
    definition: dg.JobDefinition, partition: str | None, selected: frozenset[dg.AssetKey] | None
) -> Mapping[str, str]:
    """The tags by which Dagster knows a run's partition; refuses one that the job does not have."""
    if partition is None:
        return {}
    with partition_loading_context() as context:
        definition.validate_partition_key(partition, selected, context)
    return definition.get_tags_for_partition_key(partition, selected)


def _headline(check: dg.AssetCheckEvaluation) -> str:
    """The rules that failed; what else is known of them, `athena why` says."""
    return (check.description or "").partition("\n\n")[0]


def _failure(result: dg.JobExecutionResult, job: str, partition: str | None) -> RunFailed:
    """The error of a run: the blocking checks that failed, else the first step that did, in its own words."""
    run = f"{job} of {partition}" if partition else job
    # One that an override lets through is shown as a warning, and stops nothing.
    failed = [
        each
        for each in result.get_asset_check_evaluations()
        if each.blocking and not each.passed and each.severity == dg.AssetCheckSeverity.ERROR
    ]
    if failed:
        first = f"{'.'.join(failed[0].asset_key.path)} {failed[0].partition or partition or ''}".strip()
        lines = [f"{'.'.join(each.asset_key.path)}, {each.check_name}: {_headline(each)}" for each in failed]
        return RunFailed(
            f"{run} was stopped by {'a blocking check' if len(failed) == 1 else f'{len(failed)} blocking checks'};"
            " what was published before stays as it is",
            expected="every rule of the contract to hold",
            found="\n            ".join(lines),
            next_command=f"athena why {first}",
        )
    for event in result.all_events:
        if event.is_step_failure:
            data = event.step_failure_data
            named = data.user_failure_data.description if data.user_failure_data else None
            if named is not None:
                return RunFailed(f"{run} stopped at {event.step_key}: {named}")
            cause = (data.error.cause or data.error).message.strip() if data.error else "no reason given"
            return RunFailed(
                f"{run} stopped at {event.step_key}: {cause}",
                next_command=f"athena ui has the whole trace, under run {result.run_id[:8]}",
            )
    return RunFailed(f"{run} failed", next_command=f"athena ui has its log, under run {result.run_id[:8]}")
