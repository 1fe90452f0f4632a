"""The outbox: the SQLite file of what is wrong and who was told, `<home>/monitoring/findings.sqlite`.

It is apart from the warehouse, which may be locked, lost or full exactly when something is to be said. Several
processes use it at once; it is made on first use. While the home's disk is full or read-only it lies in the machine's
temporary folder instead, and goes back when the home can be written again (`resources/spare.py`).
"""

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from athena_assets.errors import AthenaError
from resources import spare

_SCHEMA_VERSION = 3
_SCHEMA = Path(__file__).parent / "sql" / "outbox.sql"
_WAIT_SECONDS = 10.0
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


class OutboxUnavailable(AthenaError):
    """The outbox cannot be read or written, so what goes wrong cannot be told."""


def outbox_path(home: Path) -> Path:
    """Where the outbox of a home belongs."""
    return home / "monitoring" / "findings.sqlite"


class Outbox:
    """The outbox of one home, wherever it lies now."""

    def __init__(self, home: Path) -> None:
        self.path = outbox_path(home)
        self._spare = spare.place_of(home) / self.path.name

    def exists(self) -> bool:
        """Whether there is one: nothing has ever been written where there is none."""
        return self.path.exists() or self._spare.exists()

    @contextmanager
    def opened(self, *, write: bool = True) -> Iterator[sqlite3.Connection]:
        """A connection in one transaction: committed at the end, undone when the body raises.

        Raises `OutboxUnavailable` where the file cannot be made, read or written, or stays locked for 10 s.
        """
        try:
            path = spare.choose(self.path, self._spare)
            with closing(_connect(path)) as store:
                store.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                try:
                    yield store
                except BaseException:
                    store.execute("ROLLBACK")
                    raise
                store.execute("COMMIT")
        except (sqlite3.Error, OSError) as error:
            raise OutboxUnavailable(
                "what goes wrong cannot be written down, so no alert can be sent",
                expected=f"a SQLite file at {self.path} that this user may write, free within {_WAIT_SECONDS:.0f} s",
                found=str(error),
                next_command="athena doctor; a damaged file may be moved aside, and is made anew",
            ) from error


def stamp(moment: datetime) -> str:
    """A moment as the outbox holds it; one without a time zone is taken for UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC).strftime(_STAMP)


def moment(text: str) -> datetime:
    """A moment of the outbox, in UTC."""
    return datetime.strptime(text, _STAMP).replace(tzinfo=UTC)


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        store = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
        try:
            _prepare(store, path)
            return store
        except BaseException as error:
            store.close()
            # Switching a new file to WAL ignores the busy timeout, so two first users may collide here.
            busy = isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in (
                sqlite3.SQLITE_BUSY,
                sqlite3.SQLITE_LOCKED,
            )
            if not busy or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _prepare(store: sqlite3.Connection, path: Path) -> None:
    store.row_factory = sqlite3.Row
    if _version(store) < _SCHEMA_VERSION:
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("BEGIN IMMEDIATE")
        # Another process may have made the tables while this one waited.
        if _version(store) < _SCHEMA_VERSION:
            for statement in _SCHEMA.read_text(encoding="utf-8").split(";\n"):
                store.execute(statement)
            store.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        store.execute("COMMIT")
    if (version := _version(store)) != _SCHEMA_VERSION:
        raise OutboxUnavailable(
            f"{path.name} was written by another version of Athena",
            expected=f"schema version {_SCHEMA_VERSION}",
            found=f"schema version {version}",
            next_command=f"move {path} aside; its rows stay readable with sqlite3",
        )
    store.execute("PRAGMA synchronous=NORMAL")


def _version(store: sqlite3.Connection) -> int:
    return int(store.execute("PRAGMA user_version").fetchone()[0])
