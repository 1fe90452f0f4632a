"""Simulate a retailer and write what it delivers: a bulk history, then a folder per night.

    <out_dir>/history/<table>.parquet, of more customers than one block <table>-<block>.parquet
    <out_dir>/night=YYYY-MM-DD/<table>.parquet
    <truth_dir>/{customers,products,snapshots,campaign_contacts}.parquet

Blocks of customers are simulated side by side in worker processes. Memory is that of one block for each of them,
whatever the number of customers and nights; how many there are changes no byte.
"""

import os
import shutil
from collections import deque
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Literal

from athena_assets.errors import AthenaError
from athena_assets.sources.simulator import population, schemas, truth
from athena_assets.sources.simulator.files import Content, night_folder
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import BASE_ENTRY, blocks
from athena_assets.sources.simulator.work import (
    BLOCKS,
    Contents,
    Job,
    world,
    write_block,
    write_night,
    write_products,
    write_truth,
)
from athena_assets.sources.simulator.workers import worker_pool

MONEY_TABLES = ("orders", "order_lines")
"""Tables whose rows carry money: the order total, and quantity times unit price."""


class SimulatorOutputExists(AthenaError):
    """A folder that the simulator should write holds something already, or lies inside the other."""


@dataclass(frozen=True)
class DeliveredTable:
    """One table's Parquet files: where, how many rows, and their money (None for a table without any)."""

    paths: tuple[Path, ...]
    rows: int
    amount: Decimal | None


@dataclass(frozen=True)
class Delivery:
    """What arrived together: the bulk history, or one night. Days are inclusive event days.

    The bulk delivery also holds the customers and products that were there before its first day.
    """

    kind: Literal["bulk", "nightly"]
    first_day: date
    last_day: date
    folder: Path
    tables: dict[str, DeliveredTable]


@dataclass(frozen=True)
class SimulatedRetailer:
    """Everything that was written, deliveries in the order of time, bulk first."""

    parameters: SimulatorParameters
    deliveries: tuple[Delivery, ...]
    truth_dir: Path
    truth: dict[str, Path]


def simulate(parameters: SimulatorParameters, out_dir: Path, truth_dir: Path, *, workers: int = 1) -> SimulatedRetailer:
    """Write the deliveries of a retailer to `out_dir` and its hidden truth to `truth_dir`.

    Both folders must be absent or empty and neither inside the other; the deliveries appear last, complete or
    not at all.
    Same parameters, same bytes, whatever the number of workers; the history's bytes do not depend on `nights`.
    workers: at most so many processes, each with a block of customers; one block is simulated in this process.
    Raises `SimulatorOutputExists` and `SimulatorWorkerLost`.
    """
    out_dir, truth_dir = Path(out_dir), Path(truth_dir)
    _refuse_occupied(out_dir, truth_dir)
    stage, truth_stage = (folder.with_name(f"{folder.name}.partial") for folder in (out_dir, truth_dir))
    try:
        for folder in (stage, truth_stage):
            # What an interrupted run left there is removed.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        history_blocks = -(-parameters.customers // population.BLOCK_CUSTOMERS)
        job = Job(parameters, stage, truth_stage, history_blocks)
        contents = _write(job, min(workers, history_blocks))
        os.replace(truth_stage, truth_dir)
        os.replace(stage, out_dir)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        shutil.rmtree(truth_stage, ignore_errors=True)
    return SimulatedRetailer(
        parameters=parameters,
        deliveries=tuple(_described(job, out_dir, contents)),
        truth_dir=truth_dir,
        truth={name: truth_dir / f"{name}.parquet" for name in (*truth.TABLES, "products")},
    )


def _refuse_occupied(out_dir: Path, truth_dir: Path) -> None:
    deliveries, hidden = out_dir.resolve(), truth_dir.resolve()
    if deliveries == hidden or deliveries in hidden.parents or hidden in deliveries.parents:
        raise SimulatorOutputExists(
            "the truth folder and the delivery folder overlap",
            expected="two folders, neither inside the other: the pipeline must not be able to read the truth",
            found=f"deliveries {out_dir}, truth {truth_dir}",
            next_command="choose another folder for the truth",
        )
    for folder in (out_dir, truth_dir):
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise SimulatorOutputExists(
                f"the simulator does not overwrite {folder}",
                expected="a folder that is absent or empty",
                found="a file" if not folder.is_dir() else "files in it",
                next_command=f"remove {folder}, or choose another folder",
            )


def _write(job: Job, workers: int) -> Contents:
    """Write everything, in the order in which pieces need each other; what stands in every delivery."""
    calendar, _ = world(job.parameters)
    of_customers = list(blocks(job.parameters, calendar))
    contents = write_products(job)
    with worker_pool(workers) as pool:
        for of_block in pool.each(partial(write_block, job), of_customers):
            for day, tables in of_block.items():
                for name, content in tables.items():
                    contents[day][name] = contents[day].get(name, Content()) + content
        deque(pool.each(partial(write_truth, job, len(of_customers)), list(truth.TABLES)), maxlen=0)
        deque(pool.each(partial(write_night, job, len(of_customers)), list(job.nights)), maxlen=0)
    for folder in (job.stage, job.truth_stage):
        shutil.rmtree(folder / BLOCKS)
    return contents


def _described(job: Job, out_dir: Path, contents: Contents) -> list[Delivery]:
    deliveries = []
    for day, tables in contents.items():
        bulk = day == BASE_ENTRY
        folder = out_dir / ("history" if bulk else night_folder(job.parameters, day))
        deliveries.append(
            Delivery(
                kind="bulk" if bulk else "nightly",
                first_day=job.parameters.first_day if bulk else job.parameters.day(day),
                last_day=job.parameters.day(job.parameters.history_days - 1 if bulk else day),
                folder=folder,
                tables={
                    name: DeliveredTable(
                        paths=tuple(folder / file for file in job.file_names(day, name)),
                        rows=tables[name].rows,
                        amount=Decimal(tables[name].cents).scaleb(-2) if name in MONEY_TABLES else None,
                    )
                    for name in schemas.TABLES
                },
            )
        )
    return deliveries
