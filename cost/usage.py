"""Usage: what ran, for whom, and how much of what it used. Read and append; prices come later.

The store is SQLite because several processes write to it at once while the warehouse admits one; the table
`cost.usage` of the warehouse is a copy of its rows, made by the cost assets.
"""

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path

from athena_assets.errors import AthenaError
from cost.period import Month
from cost.records import naive_values, values

UNITS = {
    "cpu": "Microseconds",
    "wall": "Microseconds",
    "peak_memory": "Bytes",
    "bytes_read": "Bytes",
    "bytes_written": "Bytes",
    "rows_in": "Rows",
    "rows_out": "Rows",
    "stored_bytes": "Bytes",
}
"""Every meter and its unit; quantities are integers in that unit."""

STAGES = ("pipeline", "training", "inference", "experimentation", "monitoring", "serving")
UNTAGGED_STAGE = "__untagged__"
"""Stage of a step whose asset carries no `stage` tag: shown by that name until somebody tags it."""

SHARED_MODEL_TAG = "shared"
"""Value of an asset's `model` tag that says: for every model. Recorded as no model."""

RUN_TOTAL = "__run__"
"""Step name of a whole run; what is left of it after its steps is `__overhead__`."""

COLUMNS = {
    "run_id": "VARCHAR",
    "step": "VARCHAR",
    "attempt": "INTEGER",
    "asset_key": "VARCHAR",
    "partition": "VARCHAR",
    "model": "VARCHAR",
    "stage": "VARCHAR",
    "meter": "VARCHAR",
    "quantity": "DECIMAL(38,0)",
    "unit": "VARCHAR",
    "started_at": "TIMESTAMP",
    "ended_at": "TIMESTAMP",
    "basis": "VARCHAR",
    "outcome": "VARCHAR",
}
"""Columns of the warehouse table `cost.usage` and their DuckDB types; timestamps are UTC."""

_SCHEMA_VERSION = 1
_SCHEMA = Path(__file__).parent / "sql" / "usage_store.sql"
_OF_MONTH = Path(__file__).parent / "sql" / "usage_of_month.sql"
_WAIT_SECONDS = 30.0
_STAMP = "%Y-%m-%dT%H:%M:%S.%fZ"


class UsageUnavailable(AthenaError):
    """The usage store is missing, of another version, or stays locked."""


class UsageBusy(UsageUnavailable):
    """Other processes keep the store locked."""

    transient = True


class InvalidUsage(AthenaError):
    """A usage row that cannot be right."""


@dataclass(frozen=True, order=True)
class Usage:
    """One row of `cost.usage`; field meanings and units are in `sql/usage_store.sql`."""

    run_id: str
    step: str
    attempt: int
    asset_key: str | None
    partition: str | None
    model: str | None
    stage: str
    meter: str
    quantity: int
    unit: str
    started_at: datetime
    ended_at: datetime
    basis: str
    outcome: str

    def __post_init__(self) -> None:
        if UNITS.get(self.meter) != self.unit:
            raise InvalidUsage(
                f"the meter {self.meter!r} of step {self.step!r} has no unit {self.unit!r}",
                expected=", ".join(f"{meter} in {unit}" for meter, unit in UNITS.items()),
                found=f"{self.meter} in {self.unit}",
            )
        if self.stage not in _KNOWN_STAGES:
            raise InvalidUsage(
                f"the step {self.step!r} has an unknown stage",
                expected=", ".join(STAGES),
                found=self.stage,
                next_command="set the asset's `stage` tag to one of the stages",
            )
        if self.quantity < 0 or self.ended_at < self.started_at:
            raise InvalidUsage(
                f"usage of step {self.step!r} ({self.meter}) runs backwards",
                expected="a quantity of at least 0, and an end not before the start",
                found=f"{self.quantity} {self.unit} from {self.started_at} to {self.ended_at}",
            )


_MOMENTS = [place for place, name in enumerate(COLUMNS) if COLUMNS[name] == "TIMESTAMP"]
"""Where the moments of a row are."""
_KNOWN_STAGES = frozenset((*STAGES, UNTAGGED_STAGE))


def append(path: Path, rows: Sequence[Usage]) -> None:
    """Add rows to the store at `path` in one transaction, creating it on first use.

    Safe from several processes. Raises `UsageUnavailable` when the store stays locked for 30 s or belongs
    to another version.
    """
    values = [_to_store(row) for row in rows]
    marks = ",".join("?" * len(fields(Usage)))
    with closing(_connect(path)) as store:
        try:
            with store:
                store.execute("BEGIN IMMEDIATE")
                store.executemany(f"INSERT INTO usage VALUES ({marks})", values)
        except sqlite3.OperationalError as error:
            raise _unavailable(path, error) from error


@contextmanager
def held_open(path: Path) -> Iterator[None]:
    """Keep the store open around many appends, so that not each of them is the last user who must flush it.

    SQLite writes its log back, and waits for the disk, when the last connection closes: on a busy disk that is
    20 ms a step, against 2 ms while somebody holds the store open.
    """
    with closing(_connect(path)):
        yield


def load(path: Path, month: Month) -> list[Usage]:
    """Everything needed to bill `month` (UTC), ordered; raises `UsageUnavailable` when there is no store.

    That is all usage of the runs that touch the month, since a run's overhead needs its steps on both
    sides of midnight, and the last storage snapshot before it, since files did not vanish at midnight.
    """
    if not path.exists():
        raise UsageUnavailable(
            "nothing has been metered yet",
            expected=f"the usage store {path.name} in the folder {path.parent.name} of the home",
            found="no file",
            next_command="athena night",
        )
    within = {"start": _stamp(month.start), "end": _stamp(month.end)}
    with closing(_connect(path)) as store:
        found = store.execute(_OF_MONTH.read_text(), within).fetchall()
    return [_from_store(row) for row in found]


def walls_of_runs(path: Path, asset_key: str) -> list[int]:
    """Wall microseconds of every metered run that made an asset, `schema/table`; none where nothing was metered."""
    return _quantities(
        path,
        "SELECT quantity FROM usage WHERE step = ? AND meter = 'wall' AND run_id IN (SELECT run_id FROM usage"
        " WHERE asset_key = ? AND partition IS NOT NULL AND outcome = 'succeeded' AND step NOT LIKE 'check%')",
        (RUN_TOTAL, asset_key),
    )


def walls_of_step(path: Path, step: str) -> list[int]:
    """Wall microseconds of every attempt of a step that succeeded; none where nothing was metered."""
    sql = "SELECT quantity FROM usage WHERE step = ? AND meter = 'wall' AND outcome = 'succeeded'"
    return _quantities(path, sql, (step,))


def _quantities(path: Path, sql: str, values: tuple[str, ...]) -> list[int]:
    if not path.exists():
        return []
    with closing(_connect(path)) as store:
        return [int(quantity) for (quantity,) in store.execute(sql, values)]


def in_month(rows: Iterable[Usage], month: Month) -> list[Usage]:
    """The rows that started in the month: what the month's partition of `cost.usage` holds."""
    return [row for row in rows if month.start <= row.started_at < month.end]


def warehouse_rows(rows: Iterable[Usage]) -> list[tuple[object, ...]]:
    """Rows for `cost.usage`, in the order of `COLUMNS`; timestamps as naive UTC."""
    return [
        naive_values(row)
        for row in sorted(rows, key=lambda row: (row.run_id, row.step, row.attempt, row.meter, row.started_at))
    ]


def _connect(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            return _open(path)
        except sqlite3.OperationalError as error:
            # Switching a new file to WAL ignores the busy timeout, so two first users may collide here.
            if not _is_busy(error) or time.monotonic() > deadline:
                raise _unavailable(path, error) from error
            time.sleep(0.01)


def _open(path: Path) -> sqlite3.Connection:
    store = sqlite3.connect(path, timeout=_WAIT_SECONDS, isolation_level=None)
    try:
        _prepare(store, path)
    except BaseException:
        store.close()
        raise
    return store


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _unavailable(path: Path, error: sqlite3.OperationalError) -> UsageUnavailable:
    kind = UsageBusy if _is_busy(error) else UsageUnavailable
    return kind(
        f"the usage store {path.name} cannot be used",
        expected=f"a writable SQLite file, free within {_WAIT_SECONDS:.0f} s",
        found=str(error),
        next_command="athena doctor",
    )


def _prepare(store: sqlite3.Connection, path: Path) -> None:
    version = store.execute("PRAGMA user_version").fetchone()[0]
    if version not in (0, _SCHEMA_VERSION):
        raise UsageUnavailable(
            f"the usage store {path.name} was written by another version of Athena",
            expected=f"schema version {_SCHEMA_VERSION}",
            found=f"schema version {version}",
            next_command="move the file aside; its rows stay readable with sqlite3",
        )
    if version == 0:
        store.execute("PRAGMA journal_mode=WAL")
        store.execute("BEGIN IMMEDIATE")
        store.execute(_SCHEMA.read_text())
        store.execute(f"PRAGMA user_version={_SCHEMA_VERSION}")
        store.execute("COMMIT")
    store.execute("PRAGMA synchronous=NORMAL")


def _to_store(row: Usage) -> tuple[object, ...]:
    return tuple(_stamp(value) if isinstance(value, datetime) else value for value in values(row))


def _from_store(row: tuple[object, ...]) -> Usage:
    values = list(row)
    for place in _MOMENTS:
        values[place] = datetime.fromisoformat(str(values[place]))
    return Usage(*values)  # type: ignore[arg-type]  # SQLite's columns carry the types of the fields


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_STAMP)
