"""Writes what consumers read: one Parquet file per night, and `latest.parquet`, each replaced atomically.

A reader that has a file open keeps the old copy; a reader that opens it gets a whole one. Running an older night again
never takes `latest.parquet` back in time.
"""

import shutil
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from athena_assets.atomic import replacing
from athena_assets.nights import Night
from athena_assets.sql import ascending

NIGHT_FILE = "part-0.parquet"
LATEST = "latest.parquet"
ROW_GROUP_ROWS = 122_880
LAYOUT = f"FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE {ROW_GROUP_ROWS}"
"""For the readers: a codec that is quick to read, row groups that a query for one customer skips (decision 0027)."""


def publish_night(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    night: Night,
    folder: Path,
    *,
    order_by: str = "customer_id",
) -> int:
    """Publish one night of `table` below `folder`; returns the bytes of the file.

    Parameters
    ----------
    connection: sees the committed rows of `table` (column `night` DATE, `as_of` TIMESTAMP).
    folder: `published/predictions/<model>`; the file is `night=<D>/part-0.parquet`.
    order_by: the column that gives the rows their total order, so that the same rows give the same bytes.
    """
    target = folder / f"night={night.key}" / NIGHT_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with replacing(target) as temporary:
            _write(connection, f"{table} WHERE night = DATE '{night.key}'", order_by, temporary)
    except BaseException:
        # A folder without a file would look like a night; that of an earlier publication holds one.
        with suppress(OSError):
            target.parent.rmdir()
        raise
    latest = folder / LATEST
    published = night_of(latest)
    if published is None or published <= night.day:
        with replacing(latest) as temporary:
            shutil.copyfile(target, temporary)
    return target.stat().st_size


def _write(connection: duckdb.DuckDBPyConnection, rows: str, order_by: str, path: Path) -> None:
    """Write the rows in their order; those that stand in it already are not sorted where that gives the same bytes."""
    ((in_order,),) = connection.execute(f"SELECT {ascending((order_by,), rows)}").fetchall()
    if in_order:
        _copy(connection, rows, path)
    if not in_order or not _has_whole_groups(path):
        _copy(connection, f"{rows} ORDER BY {order_by}", path)


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, path: Path) -> None:
    connection.execute(f"COPY (SELECT * EXCLUDE (night) FROM {rows}) TO '{_quoted(path)}' ({LAYOUT})")


def _has_whole_groups(path: Path) -> bool:
    """Whether every row group but the last is full: rows that are not sorted come in pieces as the table has them."""
    import pyarrow.parquet as pq

    groups = pq.read_metadata(path)
    sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
    return all(rows == ROW_GROUP_ROWS for rows in sizes[:-1]) and all(rows <= ROW_GROUP_ROWS for rows in sizes)


def night_of(path: Path) -> date | None:
    """The night that a published file holds; None where no file can be read, or it has no rows.

    A damaged `latest.parquet` is replaced by the next publication; it must not stop it. (pyarrow reads a footer in a
    fifth of the time, but ends the process on some that are damaged.)
    """
    if not path.exists():
        return None
    try:
        with duckdb.connect() as connection:
            ((as_of,),) = connection.execute(f"SELECT max(as_of) FROM read_parquet('{_quoted(path)}')").fetchall()
    except duckdb.Error:
        return None
    return (as_of - timedelta(days=1)).date() if isinstance(as_of, datetime) else None


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
