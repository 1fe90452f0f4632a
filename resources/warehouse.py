"""The warehouse: one DuckDB file, one writer, replaced partition by partition inside a transaction.

`dagster_duckdb.DuckDBResource` keeps its connection, and therefore the file's lock, after an exception
(docs/decisions/0004-warehouse-resource.md); this subclass always gives it back, opens readers read-only, waits a
stated time for a busy file, and names who holds it when the wait is over.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

import duckdb
from dagster_duckdb import DuckDBResource
from pydantic import Field

from athena_assets.errors import AthenaError
from athena_assets.sql import forget, parameters_used
from resources.attached import LOCKED, FileBusy, attached
from resources.disk import disk_full, is_full
from resources.settings import Settings


class WarehouseLocked(AthenaError):
    """Another process holds the warehouse."""

    transient = True


class WarehouseMissing(AthenaError):
    """There is no warehouse in this home."""


class WarehouseTooSmall(AthenaError):
    """A statement needed more memory than its limit, spilling included."""


class WarehouseCorrupt(AthenaError):
    """The file is not a DuckDB database that this version can read, or holds damaged blocks."""


DAMAGED = (
    "not a valid DuckDB database",
    "Corrupt database file",
    "Could not read enough bytes",
    "Failed to load metadata",
    "Is a directory",
)
"""How DuckDB says that a file is none of its own, or no longer whole."""


class Warehouse(DuckDBResource):
    """The DuckDB file of one home."""

    lock_wait_seconds: float = Field(default=3.0, description="How long to wait for a busy file.")

    @classmethod
    def of(cls, settings: Settings) -> "Warehouse":
        """The warehouse of a home, limited as the settings say."""
        return cls(
            database=str(settings.warehouse_path),
            connection_config={
                "threads": settings.threads,
                "memory_limit": settings.memory_limit,
                "temp_directory": str(settings.home / "spill"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
            lock_wait_seconds=float(settings.lock_wait_seconds),
        )

    @contextmanager
    def get_connection(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection, closed whatever happens: the name that dagster-duckdb's users know.

        For several of `transaction`: what each has committed is safe, and is moved into the file when the last is done.
        """
        with self._connect(read_only=False) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection; raises `WarehouseMissing` where no night has run."""
        if not Path(self.database).exists():
            raise WarehouseMissing(
                "there is no warehouse in this home",
                expected=self.database,
                found="no such file",
                next_command="athena run",
            )
        with self._connect(read_only=True) as connection:
            yield connection

    @contextmanager
    def write(self, *, settled: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-write connection inside one transaction: committed at the end, rolled back on any error.

        settled: False leaves what was committed in DuckDB's log beside the file, until the next write that settles, or
        `settle`, moves it into the file. It is as safe there and every reader sees it; of a few lines, the moving
        takes longer than the writing.
        """
        with self._connect(read_only=False, settled=settled) as connection, transaction(connection):
            yield connection

    def settle(self) -> None:
        """Move into the file what writes have left in the log, so that the file alone is the whole warehouse."""
        if Path(f"{self.database}.wal").exists():
            with self._connect(read_only=False):
                # Detaching is what moves it.
                pass

    @contextmanager
    def _connect(self, *, read_only: bool, settled: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        if not read_only:
            Path(self.database).parent.mkdir(parents=True, exist_ok=True)
        try:
            with (
                translated_errors(self.database),
                attached(
                    self.database,
                    self.connection_config,
                    read_only=read_only,
                    settled=settled,
                    wait_seconds=self.lock_wait_seconds,
                ) as connection,
            ):
                yield connection
        except FileBusy as busy:
            raise WarehouseLocked(
                "the warehouse is busy",
                expected="no other thread of this process holding it",
                found=f"a thread of process {os.getpid()} holds {busy}",
                next_command="wait for it to end, then try again",
            ) from None


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """One transaction on a read-write connection: committed at the end, rolled back on any error."""
    connection.begin()
    try:
        yield
        commit(connection)
    except BaseException:
        _roll_back(connection)
        raise


def commit(connection: duckdb.DuckDBPyConnection) -> None:
    """Commit: the one boundary at which a write becomes visible, so that a test can stop a process here."""
    connection.commit()


def _roll_back(connection: duckdb.DuckDBPyConnection) -> None:
    forget(connection)
    try:
        connection.rollback()
    except duckdb.Error:
        # A fatal error has already ended the transaction; the error that caused it is the one to show.
        return


@contextmanager
def translated_errors(database: str) -> Iterator[None]:
    """Turn DuckDB's errors about the machine into named ones; errors about SQL pass through."""
    folder = Path(database).parent
    try:
        yield
    except duckdb.Error as error:
        text = str(error)
        if LOCKED in text:
            holder = re.search(r"PID (\d+)", text)
            raise WarehouseLocked(
                "the warehouse is busy",
                expected="no other process holding it",
                found=f"process {holder.group(1)} holds {database}" if holder else text,
                next_command="wait for that process to end, then run the same command again",
            ) from error
        if is_full(error, folder):
            raise disk_full(error, folder) from error
        if isinstance(error, duckdb.OutOfMemoryException):
            raise WarehouseTooSmall(
                "a statement needed more memory than it may use",
                expected="ATHENA_MEMORY_LIMIT to be enough",
                found=text.splitlines()[0],
                next_command="raise ATHENA_MEMORY_LIMIT, then run the same command again",
            ) from error
        if any(words in text for words in DAMAGED) or isinstance(error, duckdb.SerializationException):
            raise WarehouseCorrupt(
                "the warehouse file cannot be read",
                expected=f"a whole DuckDB database at {database}",
                found=text.splitlines()[0],
                next_command="restore the file from a backup, or move it aside and make it anew with `athena run`",
            ) from error
        raise


def replace_rows(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    select: str,
    parameters: Mapping[str, object] | None = None,
    *,
    where: str = "true",
) -> int:
    """Replace the rows of `table` for which `where` holds by the result of `select`; returns the new count.

    Runs inside the caller's transaction, so a reader sees the old rows or the new ones. Parameters are DuckDB's
    `$name`; both `select` and `where` may use them.
    """
    values = dict(parameters or {})
    in_scope = parameters_used(where, values)
    connection.execute(f"DELETE FROM {table} WHERE {where}", in_scope)
    connection.execute(f"INSERT INTO {table} BY NAME {select}", parameters_used(select, values))
    ((rows,),) = connection.execute(
        f"SELECT count(*) FROM {table} WHERE {where}", parameters_used(where, values)
    ).fetchall()
    return int(rows)


def exact(value: object) -> Decimal:
    """A DECIMAL or integer as DuckDB returns it, as Decimal; a float is a mistake and is refused."""
    if isinstance(value, bool) or not isinstance(value, Decimal | int):
        raise TypeError(f"expected DECIMAL or integer from the warehouse, found {type(value).__name__}")
    return Decimal(value)
