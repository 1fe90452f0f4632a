"""Simulate a retailer and write what it delivers: a bulk history, then a folder per night.

    <out_dir>/history/<table>.parquet
    <out_dir>/night=YYYY-MM-DD/<table>.parquet
    <truth_dir>/{customers,snapshots,campaign_contacts}.parquet

Memory is that of one block of customers plus the nights; the history is written a row group per block.
"""

import os
import shutil
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from athena_assets.errors import AthenaError
from athena_assets.sources.simulator import schemas, truth
from athena_assets.sources.simulator.behaviour import simulate_block
from athena_assets.sources.simulator.catalogue import Catalogue
from athena_assets.sources.simulator.deliveries import Rows, block_rows, product_rows
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import BASE_ENTRY, blocks, draw_traits
from athena_assets.sources.simulator.season import RetailCalendar

MONEY_TABLES = ("orders", "order_lines")
"""Tables whose rows carry money: the order total, and quantity times unit price."""


class SimulatorOutputExists(AthenaError):
    """A folder that the simulator should write holds something already, or lies inside the other."""


@dataclass(frozen=True)
class DeliveredTable:
    """One Parquet file: where, how many rows, and their money (None for a table without any)."""

    path: Path
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


def simulate(parameters: SimulatorParameters, out_dir: Path, truth_dir: Path) -> SimulatedRetailer:
    """Write the deliveries of a retailer to `out_dir` and its hidden truth to `truth_dir`.

    Both folders must be absent or empty and neither inside the other; the deliveries appear last, complete or
    not at all.
    Same parameters, same bytes; the history's bytes do not depend on `nights`.
    Raises `SimulatorOutputExists`.
    """
    out_dir, truth_dir = Path(out_dir), Path(truth_dir)
    _refuse_occupied(out_dir, truth_dir)
    stage, truth_stage = (folder.with_name(f"{folder.name}.partial") for folder in (out_dir, truth_dir))
    try:
        for folder in (stage, truth_stage):
            # What an interrupted run left there is removed.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
        counts = _write(parameters, stage, truth_stage)
        os.replace(truth_stage, truth_dir)
        os.replace(stage, out_dir)
    finally:
        shutil.rmtree(stage, ignore_errors=True)
        shutil.rmtree(truth_stage, ignore_errors=True)
    return SimulatedRetailer(
        parameters=parameters,
        deliveries=tuple(_described(parameters, out_dir, counts)),
        truth_dir=truth_dir,
        truth={name: truth_dir / f"{name}.parquet" for name in truth.TABLES},
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


class _Parquet:
    """One Parquet file written a row group at a time; counts rows and money as they go by."""

    def __init__(self, path: Path, schema: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without the Arrow schema in its metadata the file is what any other writer would give.
        self._writer = pq.ParquetWriter(path, schema, compression="zstd", compression_level=1, store_schema=False)
        self.rows = 0
        self.cents = 0

    def append(self, table: Any, cents: int = 0) -> None:
        if table.num_rows:
            self._writer.write_table(table, row_group_size=table.num_rows)
        self.rows += table.num_rows
        self.cents += cents

    def close(self) -> None:
        self._writer.close()


class _Deliveries:
    """The files of all deliveries: history appended to block by block, nights collected and written last."""

    def __init__(self, parameters: SimulatorParameters, folder: Path) -> None:
        self._horizon = parameters.history_days
        self._nights = range(parameters.history_days, parameters.days)
        self._folders = {BASE_ENTRY: folder / "history"} | {
            day: folder / _night_folder(parameters, day) for day in self._nights
        }
        self.history = {
            name: _Parquet(self._folders[BASE_ENTRY] / f"{name}.parquet", schema)
            for name, schema in schemas.TABLES.items()
        }
        self._collected: dict[tuple[int, str], list[tuple[Any, int]]] = {}

    def append(self, name: str, rows: Rows) -> None:
        self.history[name].append(*rows.between(name, BASE_ENTRY, self._horizon))
        for day in self._nights:
            self._collected.setdefault((day, name), []).append(rows.detached(name, day))

    def close(self) -> "Counts":
        """Finish all files; rows and cents per delivery (`BASE_ENTRY` is the history) and table."""
        counts: Counts = {day: {} for day in (BASE_ENTRY, *self._nights)}
        for (day, name), parts in self._collected.items():
            file = _Parquet(self._folders[day] / f"{name}.parquet", schemas.TABLES[name])
            file.append(pa.concat_tables([table for table, _ in parts]), sum(cents for _, cents in parts))
            file.close()
            counts[day][name] = (file.rows, file.cents)
        for name, file in self.history.items():
            file.close()
            counts[BASE_ENTRY][name] = (file.rows, file.cents)
        return counts


Counts = dict[int, dict[str, tuple[int, int]]]


def _write(parameters: SimulatorParameters, stage: Path, truth_stage: Path) -> Counts:
    ahead = max(parameters.churn_horizon_days, 31)
    calendar = RetailCalendar.build(parameters.first_day, parameters.days + ahead, parameters.christmas_strength)
    catalogue = Catalogue.build(parameters)
    deliveries = _Deliveries(parameters, stage)
    hidden = {name: _Parquet(truth_stage / f"{name}.parquet", schema) for name, schema in truth.TABLES.items()}
    deliveries.append("products", product_rows(parameters.first_day, catalogue))
    for block in blocks(parameters, calendar):
        traits = draw_traits(parameters, catalogue, block)
        events = simulate_block(parameters, calendar, catalogue, block, traits)
        for name, rows in block_rows(parameters.first_day, catalogue, block, traits, events).items():
            deliveries.append(name, rows)
        for name, table in truth.block_truth(parameters, calendar, block, traits, events).items():
            hidden[name].append(table)
    for file in hidden.values():
        file.close()
    return deliveries.close()


def _night_folder(parameters: SimulatorParameters, day: int) -> str:
    return f"night={parameters.day(day).isoformat()}"


def _described(parameters: SimulatorParameters, out_dir: Path, counts: Counts) -> list[Delivery]:
    deliveries = []
    for day, tables in counts.items():
        bulk = day == BASE_ENTRY
        folder = out_dir / ("history" if bulk else _night_folder(parameters, day))
        deliveries.append(
            Delivery(
                kind="bulk" if bulk else "nightly",
                first_day=parameters.first_day if bulk else parameters.day(day),
                last_day=parameters.day(parameters.history_days - 1 if bulk else day),
                folder=folder,
                tables={
                    name: DeliveredTable(
                        path=folder / f"{name}.parquet",
                        rows=tables[name][0],
                        amount=Decimal(tables[name][1]).scaleb(-2) if name in MONEY_TABLES else None,
                    )
                    for name in schemas.TABLES
                },
            )
        )
    return deliveries
