"""The Parquet files of deliveries and truth: how they are named, encoded and counted."""

from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow.parquet as pq

from athena_assets.sources.simulator.parameters import SimulatorParameters

ROW_GROUP_ROWS = 122_880
"""Most rows of a row group, which a reader hands to one thread: DuckDB's own number."""

_NEARLY_UNIQUE = ("order_id", "contact_id", "order_ts", "contact_ts")
"""Columns for which a dictionary of values is longer than the values."""


@dataclass(frozen=True)
class Content:
    """How many rows there are, and their money in cents (0 for a table without any)."""

    rows: int = 0
    cents: int = 0

    def __add__(self, other: "Content") -> "Content":
        return Content(self.rows + other.rows, self.cents + other.cents)


class ParquetFile:
    """One Parquet file, written a table at a time and closed on leaving; `content` is what has gone into it."""

    def __init__(self, path: Path, schema: Any) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Without the Arrow schema in its metadata the file is what any other writer would give.
        self._writer = pq.ParquetWriter(
            path,
            schema,
            compression="zstd",
            compression_level=1,
            store_schema=False,
            use_dictionary=[name for name in schema.names if name not in _NEARLY_UNIQUE],
        )
        self.content = Content()

    def append(self, table: Any, cents: int = 0) -> None:
        """Write the rows of an Arrow table, which begin a row group of their own."""
        if table.num_rows:
            self._writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
        self.content += Content(table.num_rows, cents)

    def __enter__(self) -> "ParquetFile":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._writer.close()


def night_folder(parameters: SimulatorParameters, day: int) -> str:
    """The folder of the night of a simulation day."""
    return f"night={parameters.day(day).isoformat()}"
