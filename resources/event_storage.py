"""Dagster's event log in one SQLite file behind one pooled engine.

The stock storages build an engine, open a connection and fsync a commit for every statement: about 2,000
engines in a night of 150 check results, and the orchestrator then costs more than the work it orchestrates
(docs/benchmarks.md, `bench/orchestrator.py`). This subclass changes how the file is reached and nothing
about what is in it: schema, queries and migrations stay Dagster's, so the stock storage opens the same file.
An event and what is kept beside it (asset, tags, check) are one transaction, and so is a batch of events.

Configured in the `dagster.yaml` of a home:

    event_log_storage:
      module: resources.event_storage
      class: PooledSqliteEventLogStorage
      config:
        base_dir: {env: ATHENA_DAGSTER_STORAGE}

`run_storage` and `schedule_storage` stay stock: together they open under a hundred connections in such a night.
"""

import atexit
import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as db
from dagster import EventLogEntry
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.event_log.sqlite import consolidated_sqlite_event_log
from dagster._core.storage.sql import get_alembic_config, stamp_alembic_rev
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._serdes import ConfigurableClassData
from filelock import FileLock, Timeout
from sqlalchemy.pool import QueuePool
from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from athena_assets.errors import AthenaError

_DATABASE = consolidated_sqlite_event_log.SQLITE_EVENT_LOG_FILENAME
_INITIALISATION_TIMEOUT_SECONDS = 60
_LOG = logging.getLogger(__name__)

# A connection that crossed a fork must be neither used nor closed in the child (sqlite.org/howtocorrupt.html,
# 2.6); keeping its engine referenced keeps the garbage collector from closing it.
_INHERITED: list[db.Engine] = []
_LIVE: "weakref.WeakSet[PooledSqliteEventLogStorage]" = weakref.WeakSet()


class EventLogBusy(AthenaError):
    """Another process holds the event log's initialisation lock and does not let go."""


class PooledSqliteEventLogStorage(ConsolidatedSqliteEventLogStorage):
    """One engine per storage, connections kept open, WAL with `synchronous=NORMAL`.

    A power cut may lose the last commits but cannot tear the file (SQLite, "PRAGMA synchronous"); a killed
    process loses nothing. Safe for several threads and several processes on one machine: writers
    queue for the file up to Dagster's busy timeout of 30 s. Not for network file systems, as is all of WAL.

    Parameters
    ----------
    base_dir: folder of `event_log.db`; made when missing.
    inst_data: Dagster's own record of this configuration.

    Raises
    ------
    EventLogBusy: another process has been initialising the same file for more than a minute.
    """

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        Path(base_dir).mkdir(parents=True, exist_ok=True)
        self._engine = _open_engine(base_dir)
        self._seen_tables: set[str] = set()
        self._seen_asset_columns: set[str] = set()
        self._storing = threading.local()
        self._tail: _Tail | None = None
        _LIVE.add(self)
        # `dagster dev` starts several processes on an empty home at once; the stock storage takes the bare
        # existence of the file for a finished schema and the slower ones fail with "no such table".
        lock = FileLock(os.path.join(base_dir, f"{_DATABASE}.lock"), timeout=_INITIALISATION_TIMEOUT_SECONDS)
        try:
            with lock:
                super().__init__(base_dir, inst_data)
                self._finish_schema()
        except Timeout as error:
            raise EventLogBusy(
                f"Dagster's event log in {base_dir} is being initialised by another process",
                expected=f"the lock {lock.lock_file} free within {_INITIALISATION_TIMEOUT_SECONDS} s",
                found="still held",
                next_command="athena doctor",
            ) from error

    def _init_db(self) -> None:
        """Left to `_finish_schema`; the base class calls this for a missing file, not for a half-made one."""

    def _finish_schema(self) -> None:
        with self._engine.connect() as conn:
            # Stamped last, so finished once; by which Dagster is for `dagster instance migrate` to say, as with its own
            # storages. (Alembic would import every migration there is.)
            if self.has_table("alembic_version") and conn.execute(db.text("SELECT 1 FROM alembic_version")).first():
                return
            conn.execute(db.text("PRAGMA journal_mode=WAL"))
            SqlEventLogStorageMetadata.create_all(conn)
            conn.commit()
        self.reindex_events()
        self.reindex_assets()
        # Last, because the stamp is what the next process takes for "finished".
        with self._engine.connect() as conn:
            stamp_alembic_rev(get_alembic_config(consolidated_sqlite_event_log.__file__), conn)
            conn.commit()

    @contextmanager
    def _connect(self) -> Iterator[db.Connection]:
        joined: db.Connection | None = getattr(self._storing, "connection", None)
        if joined is not None:
            yield joined
            return
        with self._engine.begin() as conn:
            yield conn

    @contextmanager
    def _one_transaction(self) -> Iterator[None]:
        """Within the block, whatever this thread reads or writes is part of one transaction."""
        with self._connect() as conn:
            before = getattr(self._storing, "connection", None)
            self._storing.connection = conn
            try:
                yield
            finally:
                self._storing.connection = before

    def store_event(self, event: EventLogEntry) -> None:
        """Store an event with all that is kept beside it, or nothing of it."""
        with self._one_transaction():
            super().store_event(event)

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store several events, or none of them."""
        with self._one_transaction():
            for event in events:
                super().store_event(event)

    def has_table(self, table_name: str) -> bool:
        """Whether the schema holds the table; asked for every event, so a yes is remembered."""
        if table_name not in self._seen_tables:
            with self._engine.connect() as conn:
                if not self._engine.dialect.has_table(conn, table_name):
                    return False
            self._seen_tables.add(table_name)
        return True

    def _has_asset_key_col_on_connection(self, conn: db.Connection, column_name: str) -> bool:
        if column_name not in self._seen_asset_columns:
            if not super()._has_asset_key_col_on_connection(conn, column_name):
                return False
            self._seen_asset_columns.add(column_name)
        return True

    def watch(self, run_id: str, cursor: str | None, callback: Callable[..., Any]) -> None:
        """Call back for each new event of the run, whichever process wrote it."""
        if self._tail is None:
            self._tail = _Tail(self)
        self._watchers[run_id][callback] = cursor

    def dispose(self) -> None:
        """Stop the watcher and close every pooled connection (the last one folds the WAL into the file)."""
        if self._tail is not None:
            self._tail.stop()
            self._tail = None
        self._engine.dispose()

    def _before_fork(self) -> None:
        # SQLite keeps its own per-process account of the locks it holds; a child that inherits an open file
        # believes in locks that only the parent has. Closing the last connection writes to the file, which
        # would wake the tail into SQLite just as the process forks: it waits until the fork is done.
        if self._tail is not None:
            self._tail.reading.acquire()
        self._engine.dispose()

    def _after_fork_in_parent(self) -> None:
        if self._tail is not None:
            self._tail.reading.release()

    def _after_fork_in_child(self) -> None:
        _INHERITED.append(self._engine)
        self._engine = _open_engine(self._base_dir)
        # Observer threads do not cross a fork; the next `watch` starts new ones.
        self._tail = None


class _Tail:
    """Tells a storage that its file has grown.

    Pooled connections seldom checkpoint, so new events show up as writes to the `-wal` file and the stock
    watchdog, which looks at `event_log.db` alone, would sleep through a whole run. The write of a commit is
    seen a moment before the commit is readable: hence a second look once the file has been quiet a while.
    """

    _QUIET_SECONDS = 0.1

    def __init__(self, storage: PooledSqliteEventLogStorage) -> None:
        self._storage = weakref.ref(storage)
        self._changed = threading.Event()
        self.reading = threading.RLock()
        self._stopped = False
        path = storage.get_db_path()
        self._observer = Observer()
        self._observer.schedule(_OnWrite({path, f"{path}-wal"}, self._changed), os.path.dirname(path))
        self._observer.start()
        self._reader = threading.Thread(target=self._read, name="event-log-tail", daemon=True)
        self._reader.start()

    def _read(self) -> None:
        while self._changed.wait() and not self._stopped:
            self._changed.clear()
            self._deliver()
            if not self._changed.wait(self._QUIET_SECONDS):
                self._deliver()

    def _deliver(self) -> None:
        storage = self._storage()
        if storage is None:
            return
        try:
            with self.reading:
                storage.on_modified()
        except Exception:
            # As with the base class's observer thread: nobody waits for this thread, the next write retries.
            _LOG.exception("could not read new events from %s", storage.get_db_path())

    def stop(self) -> None:
        self._stopped = True
        self._changed.set()
        self._observer.stop()
        for thread in (self._observer, self._reader):
            if thread is not threading.current_thread():
                thread.join(timeout=15)


class _OnWrite(FileSystemEventHandler):
    def __init__(self, paths: set[str], changed: threading.Event) -> None:
        self._paths = paths
        self._changed = changed

    def on_modified(self, event: FileSystemEvent) -> None:
        if event.src_path in self._paths:
            self._changed.set()


def _open_engine(base_dir: str) -> db.Engine:
    engine = db.create_engine(
        create_db_conn_string(base_dir, _DATABASE),
        poolclass=QueuePool,
        # The webserver reads from many threads at once; a cap would make one of them wait for another's
        # connection, and a nested call wait for its own.
        max_overflow=-1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )

    @db.event.listens_for(engine, "connect")
    def _relax_sync(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA synchronous=NORMAL")

    return engine


def _tell_all(moment: Callable[[PooledSqliteEventLogStorage], None]) -> Callable[[], None]:
    def tell() -> None:
        for storage in list(_LIVE):
            moment(storage)

    return tell


# A process that ends without collecting its objects (athena_cli/ending.py) folds the WAL into the file, too.
atexit.register(_tell_all(PooledSqliteEventLogStorage.dispose))
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_tell_all(PooledSqliteEventLogStorage._before_fork),
        after_in_parent=_tell_all(PooledSqliteEventLogStorage._after_fork_in_parent),
        after_in_child=_tell_all(PooledSqliteEventLogStorage._after_fork_in_child),
    )
