"""The pieces of work that a simulation is made of. Each reads and writes files of its own, so any process may do it.

    <stage>/history/<table>[-<block>].parquet   of a block: its part of the history
    <stage>/.blocks/<block>-<table>.arrow       of a block: a record batch per night
    <truth>/.blocks/<block>-<table>.arrow       of a block: one record batch
    <stage>/night=<day>/<table>.parquet         of all blocks' batches of that night
    <truth>/<table>.parquet                     of all blocks' batches

What a piece holds in memory is one block, or one night of all blocks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa

from athena_assets.sources.simulator import schemas, truth
from athena_assets.sources.simulator.behaviour import simulate_block
from athena_assets.sources.simulator.catalogue import Catalogue
from athena_assets.sources.simulator.deliveries import Rows, block_rows, product_rows
from athena_assets.sources.simulator.files import Content, ParquetFile, night_folder
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import BASE_ENTRY, Block, draw_traits
from athena_assets.sources.simulator.scenarios import demand_factor, names_of_night
from athena_assets.sources.simulator.season import RetailCalendar

BLOCKS = ".blocks"
"""Folder of what blocks leave for others to put together."""

Contents = dict[int, dict[str, Content]]
"""Per delivery (its simulation day; `BASE_ENTRY` is the history) and table what was written."""


@dataclass(frozen=True)
class Job:
    """What every piece of one simulation needs to know. `history_blocks`: the blocks that have a history."""

    parameters: SimulatorParameters
    stage: Path
    truth_stage: Path
    history_blocks: int

    @property
    def nights(self) -> range:
        """Simulation days of the nights."""
        return range(self.parameters.history_days, self.parameters.days)

    def file_names(self, day: int, table: str) -> list[str]:
        """File names of a table in one delivery: one per block of the history, where it has several."""
        if day != BASE_ENTRY or table == "products" or self.history_blocks == 1:
            return [f"{table}.parquet"]
        return [f"{table}-{block:05d}.parquet" for block in range(self.history_blocks)]


@lru_cache(maxsize=1)
def world(parameters: SimulatorParameters) -> tuple[RetailCalendar, Catalogue]:
    """The calendar, which reaches past the last day by the horizon of the truth, and the catalogue."""
    days = parameters.days + max(parameters.churn_horizon_days, 31)
    factor = demand_factor(parameters, days)
    calendar = RetailCalendar.build(parameters.first_day, days, parameters.christmas_strength, factor)
    return calendar, Catalogue.build(parameters)


def write_products(job: Job) -> Contents:
    """The products of the history and of every night, and the truth about all."""
    _, catalogue = world(job.parameters)
    rows = product_rows(job.parameters.first_day, job.parameters.days, catalogue)
    contents: Contents = {}
    for day in (BASE_ENTRY, *job.nights):
        folder = "history" if day == BASE_ENTRY else night_folder(job.parameters, day)
        start, end = (BASE_ENTRY, job.parameters.history_days) if day == BASE_ENTRY else (day, day + 1)
        with ParquetFile(job.stage / folder / "products.parquet", schemas.TABLES["products"]) as file:
            file.append(*rows.between("products", start, end))
        contents[day] = {"products": file.content}
    with ParquetFile(job.truth_stage / "products.parquet", truth.PRODUCTS) as file:
        file.append(truth.product_truth(job.parameters, catalogue))
    return contents


def write_block(job: Job, block: Block) -> Contents:
    """Simulate a block; write its part of the history, and what nights and truth will take of it."""
    calendar, catalogue = world(job.parameters)
    traits = draw_traits(job.parameters, catalogue, block)
    events = simulate_block(job.parameters, calendar, catalogue, block, traits)
    contents: Contents = {day: {} for day in (BASE_ENTRY, *job.nights)}
    for name, rows in block_rows(job.parameters.first_day, catalogue, block, traits, events).items():
        if block.index < job.history_blocks:
            path = job.stage / "history" / job.file_names(BASE_ENTRY, name)[block.index]
            with ParquetFile(path, schemas.TABLES[name]) as file:
                file.append(*rows.between(name, BASE_ENTRY, job.parameters.history_days))
            contents[BASE_ENTRY][name] = file.content
        for day, content in zip(job.nights, _write_nights(job, block, name, rows), strict=True):
            contents[day][name] = content
    for name, table in truth.block_truth(job.parameters, calendar, block, traits, events).items():
        with _batches(_left_by(job.truth_stage, block.index, name), truth.TABLES[name]) as file:
            file.write_batch(_one_batch(table))
    return contents


def write_night(job: Job, blocks: int, day: int) -> None:
    """Put the files of one night together, the blocks in their order."""
    for name in (name for name in schemas.TABLES if name != "products"):
        batches = _all_blocks(job.stage, blocks, name, batch=day - job.nights.start)
        table = pa.Table.from_batches(batches, schema=schemas.TABLES[name])
        delivered = names_of_night(job.parameters, name, job.parameters.day(day))
        table = table.rename_columns([delivered.get(column, column) for column in table.column_names])
        path = job.stage / night_folder(job.parameters, day) / f"{name}.parquet"
        with ParquetFile(path, table.schema) as file:
            file.append(table)


def write_truth(job: Job, blocks: int, name: str) -> None:
    """Put one table of the truth together, a row group or more per block."""
    with ParquetFile(job.truth_stage / f"{name}.parquet", truth.TABLES[name]) as file:
        for batch in _all_blocks(job.truth_stage, blocks, name, batch=0):
            file.append(pa.Table.from_batches([batch]))


def _write_nights(job: Job, block: Block, name: str, rows: Rows) -> Iterator[Content]:
    with _batches(_left_by(job.stage, block.index, name), schemas.TABLES[name]) as file:
        for day in job.nights:
            table, cents = rows.between(name, day, day + 1)
            file.write_batch(_one_batch(table))
            yield Content(table.num_rows, cents)


def _left_by(folder: Path, block: int, name: str) -> Path:
    return folder / BLOCKS / f"{block:05d}-{name}.arrow"


def _batches(path: Path, schema: Any) -> Any:
    """An Arrow file to write record batches to, each of which can be read by itself."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return pa.ipc.new_file(path, schema, options=pa.ipc.IpcWriteOptions(compression="lz4"))


def _one_batch(table: Any) -> Any:
    """The rows of a table as one record batch, an empty one too."""
    return pa.RecordBatch.from_arrays([column.combine_chunks() for column in table.columns], schema=table.schema)


def _all_blocks(folder: Path, blocks: int, name: str, *, batch: int) -> Iterator[Any]:
    """The batch of that number of every block that left one, in the order of the blocks."""
    for block in range(blocks):
        with pa.memory_map(str(_left_by(folder, block, name))) as mapped:
            yield pa.ipc.open_file(mapped).get_batch(batch)
