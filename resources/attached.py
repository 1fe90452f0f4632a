"""A DuckDB file attached to the one instance that a process keeps, for as long as somebody uses it.

Starting an instance takes 10 ms and its first look at a catalog 7; a night opens the warehouse fifty times. To attach
the file takes 3, and to detach it gives the file and its lock back as closing it does.
"""

import atexit
import gc
import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb

from athena_assets.sql import remember

LOCKED = "Could not set lock"
"""How DuckDB says that another process holds a file."""
STREAMED = "Unique file handle conflict"
"""How DuckDB says that a file is attached still, though it was detached: a result of it is read as a stream."""


class FileBusy(Exception):
    """This process has the named file attached in a way that excludes the use that was asked for."""


class _Kept:
    """The instance of this process, and the file that is attached to it while somebody uses it."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.instance: duckdb.DuckDBPyConnection | None = None
        self.process = 0
        self.config: Mapping[str, Any] = {}
        self.use: tuple[str, Mapping[str, Any], bool, bool] | None = None
        """File, configuration, whether only to be read, and whether to be settled."""
        self.users = 0
        self.is_suspect = False
        self.parents: list[duckdb.DuckDBPyConnection] = []

    def instance_for(self, config: Mapping[str, Any]) -> duckdb.DuckDBPyConnection:
        """An instance with that configuration; a forked process cannot use the one of its parent."""
        if self.instance is None or self.config != config or self.process != os.getpid():
            self.discard()
            self.instance = duckdb.connect(":memory:", config=dict(config))
            self.config, self.process = config, os.getpid()
        return self.instance

    def before_fork(self) -> None:
        """Keep other threads out until the fork is done, and leave the child no instance to collect."""
        self.changed.acquire()
        if not self.users:
            self.discard()

    def discard(self) -> None:
        """Close the instance, and with it whatever is attached."""
        if self.instance is not None:
            if self.process == os.getpid():
                with suppress(duckdb.Error):
                    self.instance.close()
            else:
                # Its threads are the parent's: to close it, or to let it be collected, would wait for them for ever.
                self.parents.append(self.instance)
        self.instance = None
        self.is_suspect = False


_kept = _Kept()
# DuckDB removes what it spilled when an instance is closed, not when its process ends.
atexit.register(_kept.discard)
os.register_at_fork(
    before=_kept.before_fork, after_in_parent=_kept.changed.release, after_in_child=_kept.changed.release
)


@contextmanager
def attached(
    file: str, config: Mapping[str, Any], *, read_only: bool, settled: bool, wait_seconds: float
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection whose default database is the file; several threads may read one file at once.

    settled: whether the last to leave moves what was committed from DuckDB's log into the file.
    wait_seconds: how long to wait for another process, then DuckDB's `IOException`, or for this one, then `FileBusy`:
    for another thread, or for a result that somebody reads as a stream and has not read to its end. After an error in
    the block the instance is started anew, because a fatal one of DuckDB's makes it useless.
    """
    connection = _acquire((file, config, read_only, settled), wait_seconds)
    try:
        yield connection
    except BaseException:
        _kept.is_suspect = True
        raise
    finally:
        _release(connection, file)


def beside(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Another connection to the same file; DuckDB's own cursor would stand in the instance's empty database."""
    ((database,),) = connection.execute("SELECT current_database()").fetchall()
    cursor = connection.cursor()
    cursor.execute(f"USE {_quoted(database)}")
    return cursor


def tidy(connection: duckdb.DuckDBPyConnection) -> None:
    """Have row groups of all tables put together, without their gaps, when the file is settled after this use.

    DuckDB would do so whenever the file is settled, which costs more than most writes that leave gaps or small row
    groups; left alone, it drops only row groups of which all rows are deleted.
    """
    connection.execute("SET GLOBAL max_vacuum_tasks = 100")


def _acquire(use: tuple[str, Mapping[str, Any], bool, bool], wait_seconds: float) -> duckdb.DuckDBPyConnection:
    file, config, read_only, settled = use
    deadline = time.monotonic() + wait_seconds
    with _kept.changed:
        while _kept.users and _kept.process == os.getpid() and not (read_only and _kept.use == use):
            if not _kept.changed.wait(deadline - time.monotonic()):
                raise FileBusy(_kept.use[0] if _kept.use else file)
        try:
            if not _kept.users or _kept.process != os.getpid():
                _kept.users = 0
                _attach(file, config, read_only=read_only, settled=settled, deadline=deadline)
                _kept.use = use
            connection = _kept.instance_for(config).cursor()
            connection.execute(f"USE {_alias(file)}")
            # Whoever else is let in can only read.
            remember(connection)
        except BaseException:
            if not _kept.users:
                _kept.discard()
            raise
        _kept.users += 1
        return connection


def _attach(file: str, config: Mapping[str, Any], *, read_only: bool, settled: bool, deadline: float) -> None:
    instance = _kept.instance_for(config)
    instance.execute(f"PRAGMA {'enable' if settled else 'disable'}_checkpoint_on_shutdown")
    instance.execute("SET GLOBAL max_vacuum_tasks = 0")
    mode = "READ_ONLY" if read_only else "READ_WRITE"
    quoted = file.replace("'", "''")
    while True:
        try:
            instance.execute(f"ATTACH '{quoted}' AS {_alias(file)} ({mode})")
        except duckdb.Error as error:
            is_streamed = STREAMED in str(error)
            if LOCKED not in str(error) and not is_streamed:
                raise
            if time.monotonic() >= deadline:
                if is_streamed:
                    raise FileBusy(file) from None
                raise
            # Whatever only waits to be collected need not be waited for.
            gc.collect()
            time.sleep(0.1)
        else:
            return


def _release(connection: duckdb.DuckDBPyConnection, file: str) -> None:
    with _kept.changed:
        with suppress(duckdb.Error):
            connection.close()
        _kept.users -= 1
        if not _kept.users and _kept.process == os.getpid():
            _detach(file)
        _kept.changed.notify_all()


def _detach(file: str) -> None:
    if not _kept.is_suspect and _kept.instance is not None:
        try:
            _kept.instance.execute(f"DETACH {_alias(file)}")
        except duckdb.Error:
            # What was committed is safe in the log; whatever keeps it there is said by the next who writes.
            _kept.is_suspect = True
    if _kept.is_suspect:
        _kept.discard()


def _alias(file: str) -> str:
    """The name that DuckDB gives a file of its own accord, quoted."""
    return _quoted(Path(file).stem)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
