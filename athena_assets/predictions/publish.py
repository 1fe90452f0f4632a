"""Writes what consumers read: one Parquet file per night, and `latest.parquet`, each replaced atomically.

A reader that has a file open keeps the old copy; a reader that opens it gets a whole one. Running an older night again
never takes `latest.parquet` back in time.
"""

import shutil
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb

from athena_assets.atomic import replacing
from athena_assets.nights import Night

NIGHT_FILE = "part-0.parquet"
LATEST = "latest.parquet"
LAYOUT = "FORMAT parquet, COMPRESSION lz4_raw, ROW_GROUP_SIZE 122880"
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
    order_by: total order of the rows, so that the same rows give the same bytes.
    """
    target = folder / f"night={night.key}" / NIGHT_FILE
    target.parent.mkdir(parents=True, exist_ok=True)
    with replacing(target) as temporary:
        connection.execute(
            f"COPY (SELECT * EXCLUDE (night) FROM {table} WHERE night = DATE '{night.key}' ORDER BY {order_by})"
            f" TO '{_quoted(temporary)}' ({LAYOUT})"
        )
    latest = folder / LATEST
    published = night_of(latest)
    if published is None or published <= night.day:
        with replacing(latest) as temporary:
            shutil.copyfile(target, temporary)
    return target.stat().st_size


def night_of(path: Path) -> date | None:
    """The night that a published file holds; None where no file can be read, or it has no rows.

    A damaged `latest.parquet` is replaced by the next publication; it must not stop it.
    """
    if not path.exists():
        return None
    try:
        with duckdb.connect() as connection:
            ((as_of,),) = connection.execute(f"SELECT max(as_of) FROM read_parquet('{_quoted(path)}')").fetchall()
    except (duckdb.IOException, duckdb.InvalidInputException, duckdb.BinderException):
        return None
    return (as_of - timedelta(days=1)).date() if isinstance(as_of, datetime) else None


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")
