"""The night of a large retailer beside a bare script: 30 features, 300 trees of depth 6, one Parquet file.

One retailer is simulated, cleaned and trained on; then nights run one after another, each `athena night` in a process
of its own, each beside the floor. A night that carries on from the night before follows what changed; one whose carried
aggregates were taken away reads everything.
"""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from athena_assets.features.carrying import BOOK
from athena_assets.nights import Night
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sql import has_table
from athena_cli.evening import land_history
from athena_cli.simulating import land_simulator
from athena_cli.training import month_before, train_month
from athena_cli.workplace import Workplace
from bench import attainable
from bench.metered import CHECKS, ORCHESTRATOR, MeteredRun, last_run
from bench.night import FLOOR
from bench.processes import ATHENA, Finished, MemoryWatch, environment, run
from bench.retailer import temporary_home
from bench.simulation import PURCHASES_PER_YEAR
from bench.table import Table, mebibytes, ratio, seconds
from resources.settings import load_settings

FEATURES = (Path(__file__).parent / "sql" / "thirty_features.sql").read_text(encoding="utf-8")
ROUNDS, DEPTH = 300, 6
FLOOR_TRAINING_ROWS = 300_000
FULL, CARRIED = "all rows read", "carried on"


@dataclass(frozen=True)
class MeasuredNight:
    """One night: its process, what the meter says of it, and the floor beside it."""

    kind: str
    process: Finished
    metered: MeteredRun
    floor: Finished
    floor_phases: dict[str, float]


def measure(customers: int, rounds: int) -> Iterator[Table]:
    """Build the retailer, then run 2 x `rounds` nights and one before them that is not counted."""
    with temporary_home():
        settings = load_settings()
        parameters = SimulatorParameters(
            customers=customers, nights=2 * rounds + 1, purchases_per_year=PURCHASES_PER_YEAR
        )
        land_simulator(settings, parameters)
        workplace = Workplace(settings)
        yield history_table(workplace)
        yield training_table(workplace)
        yield attainable.measure(workplace, parameters)
        nights = list(run_nights(workplace, rounds))
        for kind in (FULL, CARRIED):
            yield phases_table(kind, [night for night in nights if night.kind == kind])
        yield floor_table(nights)


def history_table(workplace: Workplace) -> Table:
    """Land and clean the bulk history, once in the life of a home."""
    spent = _watched(lambda: land_history(workplace))
    return Table("The bulk history, landed, cleaned and checked", ("wall s", "CPU s", "peak MiB"), (spent,))


def training_table(workplace: Workplace) -> Table:
    """Train the champion, and the bare XGBoost call on the very rows it was trained on."""
    month = month_before(workplace.retailer.first_night)
    (spec,) = workplace.athena.models
    whole = _watched(lambda: train_month(workplace, month, model=spec.name))
    phases = last_run(workplace.settings.usage_path)
    with workplace.warehouse.read() as connection:
        found: dict[str, Any] = connection.execute(
            f"SELECT * EXCLUDE (month, customer_id, as_of, label), label FROM {spec.name}.training_set"
            " WHERE month = $month ORDER BY as_of, customer_id",
            {"month": month},
        ).fetchnumpy()
    label = found.pop("label")
    matrix = _matrix(list(found.values()))
    del found
    started = time.perf_counter()
    _bare_training(matrix, label, workplace.settings.threads)
    bare = time.perf_counter() - started
    rows = [
        (name, seconds(wall), seconds(phases.cpu.get(name, 0)), ratio(wall, bare)) for name, wall in phases.wall.items()
    ]
    return Table(
        f"A training on {len(label):,} rows of {matrix.shape[1]} features",
        ("part", "wall s", "CPU s", "to the floor"),
        (*rows, ("bare XGBoost call (floor)", seconds(bare), "", "1.00")),
        (
            f"The floor is xgboost.train with {ROUNDS} rounds of depth {DEPTH} on the same rows. The whole job:"
            f" {whole[0]} s, {whole[1]} CPU s, peak {whole[2]} MiB.",
        ),
    )


def run_nights(workplace: Workplace, rounds: int, *, first: Night | None = None) -> Iterator[MeasuredNight]:
    """A first night, then in turn one that carries on and one that reads everything, each beside the floor."""
    first = first or workplace.retailer.first_night
    with tempfile.TemporaryDirectory(prefix="athena-bench-") as scratch:
        variables = environment(workplace.settings.home, Path(scratch) / "bytecode")
        model = Path(scratch) / "floor.ubj"
        names = _train_floor(workplace, first, model)
        for number in range(2 * rounds + 1):
            night = first.plus(number)
            kind = CARRIED if number % 2 else FULL
            if kind is FULL:
                _forget_carried(workplace)
            process = run([sys.executable, *ATHENA, "night", night.key], variables, watch_memory=True)
            metered = last_run(workplace.settings.usage_path)
            job = Path(scratch) / "job.json"
            output = Path(scratch) / "scored.parquet"
            job.write_text(json.dumps(_floor_job(workplace, night, names, model, output)), encoding="utf-8")
            floor = run([sys.executable, str(FLOOR), str(job)], variables)
            if number:
                # The first night of a home traces column lineage and every process compiles bytecode once.
                yield MeasuredNight(kind, process, metered, floor, json.loads(floor.output))


def phases_table(kind: str, nights: Sequence[MeasuredNight]) -> Table:
    """Where the nights of one kind spend their time, by the meter's own figures."""
    floor = statistics.median(night.floor.wall for night in nights)
    rows = []
    for phase in dict.fromkeys(name for night in nights for name in night.metered.wall):
        wall = statistics.median(night.metered.wall.get(phase, 0.0) for night in nights)
        cpu = statistics.median(night.metered.cpu.get(phase, 0.0) for night in nights)
        rows.append((phase, seconds(wall), seconds(cpu), ratio(wall, floor)))
    outside = statistics.median(night.process.wall - night.metered.total for night in nights)
    outside_cpu = statistics.median(night.process.cpu - night.metered.total_cpu for night in nights)
    rows.append(
        ("before and after it: imports, definitions", seconds(outside), seconds(outside_cpu), ratio(outside, floor))
    )
    checks = statistics.median(night.metered.wall.get(CHECKS, 0.0) / night.process.wall for night in nights)
    orchestrator = statistics.median(night.metered.wall.get(ORCHESTRATOR, 0.0) for night in nights)
    return Table(
        f"Where a night goes: {kind}",
        ("phase", "wall s", "CPU s", "wall / floor"),
        tuple(rows),
        (f"Median of {len(nights)}. Checks {checks:.0%} of the night, orchestrator {orchestrator:.1f} s.",),
    )


def floor_table(nights: Sequence[MeasuredNight]) -> Table:
    """Whole processes: the bare script, a night that carries on, a night that reads everything."""
    floor = statistics.median(night.floor.wall for night in nights)
    floor_cpu = statistics.median(night.floor.cpu for night in nights)
    peak = statistics.median(night.floor_phases["peak_memory"] for night in nights)
    rows = [("bare script (floor)", seconds(floor), seconds(floor_cpu), mebibytes(peak), "1.00", "1.00")]
    for kind in (CARRIED, FULL):
        of_kind = [night for night in nights if night.kind == kind]
        wall = statistics.median(night.process.wall for night in of_kind)
        cpu = statistics.median(night.process.cpu for night in of_kind)
        memory = max(night.process.peak_memory for night in of_kind)
        rows.append(
            (
                f"athena night, {kind}",
                seconds(wall),
                seconds(cpu),
                mebibytes(memory),
                ratio(wall, floor),
                ratio(cpu, floor_cpu),
            )
        )
    parts = ", ".join(
        f"{name} {statistics.median(night.floor_phases[name] for night in nights):.2f} s"
        for name in ("imports", "features", "score", "write")
    )
    return Table(
        f"A night of {nights[0].floor_phases['customers']:,.0f} active customers against a bare script",
        ("process", "wall s", "CPU s", "peak MiB", "wall / floor", "CPU / floor"),
        tuple(rows),
        (f"Median of {len(nights) // 2} nights of each kind. Inside the floor: {parts}.",),
    )


def _watched(work: Callable[[], object]) -> tuple[str, str, str]:
    """Wall and CPU seconds and peak MiB of this process and its children while the work runs."""
    import os

    started, before = time.perf_counter(), os.times()
    with MemoryWatch(os.getpid(), every=0.2) as watch:
        work()
    after = os.times()
    cpu = sum(after[:4]) - sum(before[:4])
    return seconds(time.perf_counter() - started), seconds(cpu), mebibytes(watch.peak)


def _forget_carried(workplace: Workplace) -> None:
    with workplace.warehouse.write() as connection:
        if has_table(connection, BOOK):
            connection.execute(f"DELETE FROM {BOOK}")


def _floor_job(workplace: Workplace, night: Night, names: Sequence[str], model: Path, output: Path) -> dict[str, Any]:
    return {
        "warehouse": str(workplace.settings.warehouse_path),
        "threads": workplace.settings.threads,
        "sql": FEATURES,
        "parameters": {},
        "as_of": night.as_of.isoformat(),
        "cutoff": night.cutoff.isoformat(),
        "model": str(model),
        "tree_features": list(names),
        "output": str(output),
    }


def _train_floor(workplace: Workplace, night: Night, target: Path) -> list[str]:
    """Trees of the floor's size that say something: who of a day 90 days ago has bought nothing since."""
    as_of = night.as_of - timedelta(days=90)
    text = (
        f"SELECT features.*, CAST(later.customer_id IS NULL AS INTEGER) AS label FROM ({FEATURES}) AS features"
        " LEFT JOIN (SELECT DISTINCT customer_id FROM orders.all_orders WHERE NOT is_return"
        " AND order_ts >= $as_of AND order_ts < $until) AS later USING (customer_id) ORDER BY customer_id"
    )
    with workplace.warehouse.read() as connection:
        values: dict[str, datetime] = {"as_of": as_of, "cutoff": night.cutoff, "until": night.as_of}
        found: dict[str, Any] = connection.execute(text, values).fetchnumpy()
    label = found.pop("label")
    found.pop("customer_id")
    step = max(1, len(label) // FLOOR_TRAINING_ROWS)
    booster = _bare_training(
        _matrix([column[::step] for column in found.values()]), label[::step], workplace.settings.threads
    )
    booster.save_model(target)
    return list(found)


def _bare_training(matrix: NDArray[np.float32], label: NDArray[Any], threads: int) -> Any:
    import xgboost

    settings = {"objective": "binary:logistic", "tree_method": "hist", "max_depth": DEPTH, "nthread": threads}
    return xgboost.train(settings, xgboost.DMatrix(matrix, label=label, nthread=threads), num_boost_round=ROUNDS)


def _matrix(columns: Sequence[NDArray[Any]]) -> NDArray[np.float32]:
    return np.column_stack([np.ma.filled(np.ma.asarray(column, np.float32), np.nan) for column in columns])
