"""One night of the small retailer through the real command, beside the bare floor of `bench/bare_night.py`.

Every night is `athena night D` in a process of its own, as at 02:00, and so is every floor. The figures of the steps
are those that the meter recorded: a check's body is work, what no body used is the orchestrator's.
"""

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from athena_assets.lifecycle.artifact import load_artifact
from athena_assets.nights import Night
from athena_cli.workplace import Workplace
from bench.metered import MeteredRun, last_run
from bench.processes import ATHENA, Finished, environment, median_cpu, median_wall, run
from bench.table import Table, mebibytes, ratio, seconds

FLOOR = Path(__file__).with_name("bare_night.py")


def measure(workplace: Workplace, rounds: int) -> list[Table]:
    """Run `rounds` nights and one before them that is not counted; returns the phases and the comparison."""
    first = workplace.retailer.first_night
    nights: list[tuple[Finished, MeteredRun]] = []
    floors: list[tuple[Finished, dict[str, float]]] = []
    with tempfile.TemporaryDirectory(prefix="athena-bench-") as scratch:
        variables = environment(workplace.settings.home, Path(scratch) / "bytecode")
        # The first night of a home traces column lineage and every process compiles bytecode once.
        for number in range(rounds + 1):
            night = first.plus(number)
            finished = run([sys.executable, *ATHENA, "night", night.key], variables)
            nights.append((finished, last_run(workplace.settings.usage_path)))
            job = Path(scratch) / "job.json"
            job.write_text(json.dumps(floor_job(workplace, night, Path(scratch) / "scored.parquet")), encoding="utf-8")
            floor = run([sys.executable, str(FLOOR), str(job)], variables)
            floors.append((floor, json.loads(floor.output)))
    return [phases_table(nights[1:]), floor_table(nights[1:], floors[1:])]


def floor_job(workplace: Workplace, night: Night, output: Path) -> dict[str, Any]:
    """What the floor needs to know: the text of the features, the trees of the champion, where things are."""
    (spec,) = workplace.athena.models
    artifact = load_artifact(workplace.registry.champion(spec.name).path)
    feature_set = workplace.athena.feature_set
    values = feature_set.parameters(night.as_of, night.cutoff)
    return {
        "warehouse": str(workplace.settings.warehouse_path),
        "threads": workplace.settings.threads,
        "sql": feature_set.night_sql(),
        "parameters": {name: value for name, value in values.items() if not isinstance(value, datetime)},
        "as_of": night.as_of.isoformat(),
        "cutoff": night.cutoff.isoformat(),
        "model": str(artifact.folder / "model.ubj"),
        "tree_features": [artifact.model.features[column] for column in artifact.model.ranking.tree_columns],
        "output": str(output),
    }


def phases_table(nights: Sequence[tuple[Finished, MeteredRun]]) -> Table:
    """Where a night spends its time, by the meter's own figures."""
    metered = [night for _, night in nights]
    total = statistics.median(night.total for night in metered)
    phases = dict.fromkeys(name for night in metered for name in night.wall)
    rows = []
    for phase in phases:
        wall = statistics.median(night.wall.get(phase, 0.0) for night in metered)
        cpu = statistics.median(night.cpu.get(phase, 0.0) for night in metered)
        rows.append((phase, seconds(wall), seconds(cpu), f"{wall / total:.0%}"))
    cpu_total = statistics.median(night.total_cpu for night in metered)
    rows.append(("the run", seconds(total), seconds(cpu_total), "100%"))
    start = statistics.median(finished.wall - night.total for finished, night in nights)
    start_cpu = statistics.median(finished.cpu - night.total_cpu for finished, night in nights)
    rows.append(("before and after it: imports, definitions", seconds(start), seconds(start_cpu), "-"))
    return Table(
        "Where a night goes",
        ("phase", "wall s", "CPU s", "of the run"),
        tuple(rows),
        (
            f"Median of {len(nights)} nights of {metered[0].steps} steps, each figure by itself; the first night of the"
            " home, which traces column lineage, is not counted.",
        ),
    )


def floor_table(
    nights: Sequence[tuple[Finished, MeteredRun]], floors: Sequence[tuple[Finished, dict[str, float]]]
) -> Table:
    """The whole process of a night against the whole process of the floor."""
    night, floor = [finished for finished, _ in nights], [finished for finished, _ in floors]
    floor_wall, floor_cpu = median_wall(floor), median_cpu(floor)
    peak = statistics.median(metered.peak_memory for _, metered in nights)
    floor_peak = statistics.median(phases["peak_memory"] for _, phases in floors)
    parts = ", ".join(
        f"{name} {statistics.median(phases[name] for _, phases in floors):.2f} s"
        for name in ("imports", "features", "score", "write")
    )
    rows = (
        ("bare floor", seconds(floor_wall), seconds(floor_cpu), mebibytes(floor_peak), "1.00", "1.00"),
        (
            "athena night",
            seconds(median_wall(night)),
            seconds(median_cpu(night)),
            mebibytes(peak),
            ratio(median_wall(night), floor_wall),
            ratio(median_cpu(night), floor_cpu),
        ),
    )
    return Table(
        "A night against its bare floor",
        ("process", "wall s", "CPU s", "peak MiB", "wall / floor", "CPU / floor"),
        rows,
        (f"{floors[0][1]['customers']:,.0f} customers; median of {len(nights)}. Inside the floor: {parts}.",),
    )
