"""Whether the files that consumers read are those that were published."""

from hashlib import file_digest
from pathlib import Path

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.predictions.publish import LATEST, NIGHT_FILE


class PublicationLost(AthenaError):
    """A published file is gone or no longer whole; `night` is the one that publishes it again."""

    def __init__(self, what: str, *, table: str, night: str, expected: str, found: str) -> None:
        self.table = table
        self.night = night
        super().__init__(what, expected=expected, found=found, next_command=f"athena night {night}")


def refuse_lost_files(connection: duckdb.DuckDBPyConnection, table: str, folder: Path) -> str | None:
    """The last published night of a table; None where none is. Raises `PublicationLost` for the latest that is lost.

    folder: where the nights of `table` are published, and `latest.parquet`.
    """
    try:
        counts = connection.execute(
            f"SELECT CAST(night AS VARCHAR), count(*) FROM {table} GROUP BY night ORDER BY night DESC"
        ).fetchall()
    except duckdb.CatalogException:
        return None
    for night, rows in counts:
        found = _rows_of(folder / f"night={night}" / NIGHT_FILE)
        if found != rows:
            raise PublicationLost(
                f"the published file of {table} of {night} is not whole",
                table=table,
                night=night,
                expected=f"{rows:,} rows in night={night}/{NIGHT_FILE}",
                found="no such file" if found is None else "no readable file" if found < 0 else f"{found:,} rows",
            )
    if not counts:
        return None
    last = str(counts[0][0])
    latest, night_file = folder / LATEST, folder / f"night={last}" / NIGHT_FILE
    if not latest.is_file() or _digest(latest) != _digest(night_file):
        raise PublicationLost(
            f"{LATEST} of {table} is not the last night that was published",
            table=table,
            night=last,
            expected=f"the bytes of night={last}/{NIGHT_FILE}",
            found="other bytes" if latest.is_file() else "no such file",
        )
    return last


def _rows_of(path: Path) -> int | None:
    """Rows of a Parquet file by its footer; None where there is no file, -1 where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return None
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError, ValueError):
        # A name in a damaged footer may be no text.
        return -1


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
