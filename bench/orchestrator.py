"""What the orchestrator itself costs in a night: stock storage against the pooled one and an in-memory instance.

The night is 15 trivial partitioned assets and 15 `multi_asset_check`s of 10 results each, in process. All
variants run in this one process, one after another in each round, so that a noisy machine strikes all alike;
the figures to compare are the ratios. The stock storage waits for the disk some 2,000 times a night, so its
ratio follows the disk's fsync, which is printed beside it.
"""

import logging
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import dagster as dg  # noqa: TID251  # the orchestrator is the thing measured

from bench.table import Table, ratio, seconds
from bench.timing import Timing

TABLES = 15
RULES_PER_TABLE = 10
NIGHT = "2024-01-05"
POOLED = """
event_log_storage:
  module: resources.event_storage
  class: PooledSqliteEventLogStorage
  config: {{base_dir: {base_dir}}}
"""


def night_shaped_job() -> dg.JobDefinition:
    """A chain of trivial assets, each with its checks; nothing in it costs but the orchestrator."""
    nights = dg.DailyPartitionsDefinition("2024-01-01")
    assets: list[dg.AssetsDefinition] = []
    checks: list[dg.AssetChecksDefinition] = []
    for number in range(TABLES):
        table = f"table_{number:02d}"
        upstream = [assets[-1]] if assets else []
        assets.append(dg.asset(name=table, partitions_def=nights, deps=upstream)(lambda: None))
        checks.append(_checks_of(table))
    job = dg.define_asset_job("night", executor_def=dg.in_process_executor)
    return dg.Definitions(assets=assets, asset_checks=checks, jobs=[job]).resolve_job_def("night")


def _checks_of(table: str) -> dg.AssetChecksDefinition:
    specs = [dg.AssetCheckSpec(f"rule_{n}", asset=table, blocking=True) for n in range(RULES_PER_TABLE)]

    @dg.multi_asset_check(name=f"checks_of_{table}", specs=specs)
    def run_rules() -> Iterator[dg.AssetCheckResult]:
        for spec in specs:
            yield dg.AssetCheckResult(asset_key=spec.asset_key, check_name=spec.name, passed=True, metadata={"rows": 3})

    return run_rules


def instance_of(home: Path, storage: str) -> dg.DagsterInstance:
    """A real instance in an empty home."""
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + storage)
    return dg.DagsterInstance.from_config(str(home))


def seconds_of(job: dg.JobDefinition, instance: AbstractContextManager[dg.DagsterInstance]) -> tuple[float, float]:
    """Wall and CPU seconds of one night; making the instance is not in them."""
    with instance as opened:
        started, cpu_started = time.perf_counter(), time.process_time()
        result = job.execute_in_process(instance=opened, partition_key=NIGHT)
        elapsed = time.perf_counter() - started, time.process_time() - cpu_started
    if not result.success:
        raise SystemExit("the night failed; its time means nothing")
    return elapsed


def fsync_milliseconds(folder: Path, writes: int = 50) -> float:
    """Mean time of a 4 KiB append made durable."""
    with (folder / "fsync").open("wb", buffering=0) as file:
        started = time.perf_counter()
        for _ in range(writes):
            file.write(bytes(4096))
            os.fsync(file.fileno())
        return (time.perf_counter() - started) * 1000 / writes


def measure(rounds: int) -> Table:
    """A night on each storage, in turn."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore", category=dg.PreviewWarning)
    job = night_shaped_job()
    found: dict[str, list[tuple[float, float]]] = {"stock": [], "pooled": [], "ephemeral": []}
    fsyncs: list[float] = []
    # The first run in a process pays for imports and SQLAlchemy's caches.
    seconds_of(job, dg.DagsterInstance.ephemeral())
    with tempfile.TemporaryDirectory(prefix="athena-bench-") as folder:
        for number in range(rounds):
            base = Path(folder) / str(number)
            base.mkdir()
            fsyncs.append(fsync_milliseconds(base))
            variants: dict[str, Callable[[Path], dg.DagsterInstance]] = {
                "stock": lambda home: instance_of(home, ""),
                "pooled": lambda home: instance_of(home, POOLED.format(base_dir=home / "storage")),
                "ephemeral": lambda _home: dg.DagsterInstance.ephemeral(),
            }
            for name, make in variants.items():
                found[name].append(seconds_of(job, make(base / name)))
    timings = {name: Timing(*zip(*pairs, strict=True)) for name, pairs in found.items()}
    return _table(timings, rounds, fsyncs)


def _table(timings: dict[str, Timing], rounds: int, fsyncs: list[float]) -> Table:
    names = {
        "stock": "Dagster's own SQLite storage",
        "pooled": "one pooled engine (Athena)",
        "ephemeral": "in memory (floor)",
    }
    floor = timings["ephemeral"].median
    return Table(
        f"A night-shaped run: {TABLES} assets, {TABLES * RULES_PER_TABLE} check results",
        ("storage", "wall s", "range", "CPU s", "wall / floor"),
        tuple(
            (
                names[name],
                seconds(timing.median),
                timing.spread,
                seconds(timing.median_cpu),
                ratio(timing.median, floor),
            )
            for name, timing in timings.items()
        ),
        (f"Median of {rounds}; an fsync of this disk took {min(fsyncs):.2f}-{max(fsyncs):.2f} ms.",),
    )
