"""The promotion ledger: the truth about stages, append-only and hash-chained (`ledger.sql`).

SQLite with a rollback journal and full sync, because a row must outlive a power cut and there are a few a month.
Nothing here knows MLflow.
"""

import hashlib
import json
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from athena_assets.errors import InvalidArgument
from resources.registry.errors import InvalidTransition, LedgerBroken, RegistryBusy

GENESIS = "0" * 64
_SCHEMA = Path(__file__).with_name("ledger.sql")
_COLUMNS = "sequence, at, model, version, from_stage, to_stage, reason, actor, run_id, evidence, previous_hash, hash"
_NAMES = _COLUMNS.split(", ")


class Stage(StrEnum):
    """Where a version stands. A version begins `unregistered` and never returns to it."""

    UNREGISTERED = "unregistered"
    DEVELOPMENT = "development"
    STAGING = "staging"
    PRODUCTION = "production"
    ARCHIVED = "archived"


@dataclass(frozen=True)
class Move:
    """A change of stage that has been decided and not yet written."""

    model: str
    version: str
    from_stage: Stage
    to_stage: Stage
    reason: str
    run_id: str
    evidence: Mapping[str, Any]


@dataclass(frozen=True)
class Promotion:
    """One row of the ledger. `at` is UTC; `evidence` is a JSON object."""

    sequence: int
    at: datetime
    model: str
    version: str
    from_stage: Stage
    to_stage: Stage
    reason: str
    actor: str
    run_id: str
    evidence: Mapping[str, Any]
    previous_hash: str
    hash: str


class Ledger:
    """The ledger of one file. Reading never creates it; a missing file is an empty ledger.

    `busy_seconds` is how long to wait for a row that another process is writing.
    """

    def __init__(self, path: Path, *, busy_seconds: float = 10.0) -> None:
        self._path = path
        self._busy_seconds = busy_seconds

    def rows(self, model: str | None = None) -> list[Promotion]:
        """All promotions, of one model or of all, in the order in which they were written.

        Raises
        ------
        LedgerBroken: naming the first row that does not follow from the one before.
        """
        if not self._path.exists():
            return []
        with self._reading() as connection:
            found = connection.execute(f"SELECT {_COLUMNS} FROM ledger ORDER BY sequence").fetchall()
        self._refuse_broken_chain(found)
        return [row for row in map(_promotion, found) if model in (None, row.model)]

    def append(self, moves: Sequence[Move], *, actor: str, at: datetime) -> None:
        """Write the moves, all or none.

        Raises
        ------
        InvalidTransition: `at` lies before the model's last promotion.
        """
        stamp = utc_text(at)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._writing() as connection:
            connection.execute("BEGIN IMMEDIATE")
            last = connection.execute("SELECT sequence, hash FROM ledger ORDER BY sequence DESC LIMIT 1").fetchone()
            sequence, previous = last or (0, GENESIS)
            for move in moves:
                self._refuse_earlier(connection, move.model, stamp)
                sequence += 1
                row = {
                    "sequence": sequence,
                    "at": stamp,
                    **asdict(move),
                    "actor": actor,
                    "evidence": canonical_json(move.evidence),
                    "previous_hash": previous,
                }
                row["hash"] = previous = _hash(row)
                values = ", ".join(f"${name}" for name in _NAMES)
                connection.execute(f"INSERT INTO ledger ({_COLUMNS}) VALUES ({values})", row)
            connection.commit()

    def verify(self) -> int:
        """Recompute the chain and look at its guards; returns the number of rows.

        Raises
        ------
        LedgerBroken: naming the first row that does not follow from the one before, or the missing guard.
        """
        if not self._path.exists():
            return 0
        with self._reading() as connection:
            kept = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall())
        for name, text in _guards().items():
            if kept.get(name) != text:
                raise self._broken(
                    f"its guard {name} is missing or changed", expected=text, found=kept.get(name, "none")
                )
        return len(self.rows())

    def _refuse_broken_chain(self, rows: Sequence[tuple[Any, ...]]) -> None:
        previous = GENESIS
        for number, values in enumerate(rows, start=1):
            row = dict(zip(_NAMES, values, strict=True))
            written = row.pop("hash")
            if row["sequence"] != number:
                raise self._broken("a row is missing", expected=f"row {number}", found=f"row {row['sequence']}")
            if row["previous_hash"] != previous:
                how = f"row {number} does not follow the row before it"
                raise self._broken(how, expected=previous, found=row["previous_hash"])
            previous = _hash(row)
            if written != previous:
                raise self._broken(f"row {number} was changed", expected=previous, found=written)

    def projected(self) -> int:
        """The last row that MLflow's aliases and tags are known to show; 0 for none."""
        if not self._path.exists():
            return 0
        with self._reading() as connection:
            return int(connection.execute("SELECT sequence FROM projection").fetchone()[0])

    def mark_projected(self, sequence: int) -> None:
        """Record that MLflow shows the ledger up to this row."""
        with self._writing() as connection:
            connection.execute("UPDATE projection SET sequence = $sequence", {"sequence": sequence})
            connection.commit()

    def _refuse_earlier(self, connection: sqlite3.Connection, model: str, stamp: str) -> None:
        query = "SELECT max(at) FROM ledger WHERE model = $model"
        (last,) = connection.execute(query, {"model": model}).fetchone()
        if last is not None and stamp < last:
            raise InvalidTransition(
                f"a promotion of {model} cannot be dated before the one that stands last in the ledger",
                expected=f"a time at or after {last}",
                found=stamp,
                next_command="check this machine's clock",
            )

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        # Not mode=ro: after a crash the reader must be able to roll the journal back.
        with self._translated(), closing(self._connect(f"{self._path.absolute().as_uri()}?mode=rw")) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._translated(), closing(self._connect(self._path.absolute().as_uri())) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript(_SCHEMA.read_text())
            yield connection

    def _connect(self, uri: str) -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=self._busy_seconds)

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            if "locked" not in str(error):
                raise
            raise RegistryBusy(
                f"the promotion ledger {self._path} is locked by another process",
                expected=f"free within {self._busy_seconds:g} s",
                found=str(error),
                next_command="wait for the other command, then repeat this one",
            ) from error
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.IntegrityError):
                raise
            raise self._broken("it is not a readable SQLite file", found=str(error)) from error

    def _broken(self, how: str, *, expected: str | None = None, found: str | None = None) -> LedgerBroken:
        return LedgerBroken(
            f"the promotion ledger {self._path} is broken: {how}",
            expected=expected,
            found=found,
            next_command="restore it from a backup; do not promote until `athena doctor` is satisfied",
        )


def utc_text(at: datetime) -> str:
    """The instant as the ledger writes it; sorts as text. Raises `InvalidArgument` for a time without an offset."""
    if at.tzinfo is None:
        raise InvalidArgument(
            "a registry time must say which instant it means",
            expected="a datetime with a time zone",
            found=at.isoformat(),
            next_command="pass datetime.now(UTC) from the edge",
        )
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def canonical_json(value: object) -> str:
    """One text per value: keys sorted, no spaces, NaN refused."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _hash(row: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(row).encode()).hexdigest()


def _promotion(values: tuple[Any, ...]) -> Promotion:
    row = dict(zip(_NAMES, values, strict=True))
    read: dict[str, Callable[[Any], Any]] = {
        "at": datetime.fromisoformat,
        "from_stage": Stage,
        "to_stage": Stage,
        "evidence": json.loads,
    }
    return Promotion(**{name: read[name](value) if name in read else value for name, value in row.items()})


def _guards() -> dict[str, str]:
    """Name and text of each trigger, as SQLite stores it."""
    found = re.findall(r"CREATE TRIGGER IF NOT EXISTS (\w+)(.*?END);", _SCHEMA.read_text(), flags=re.DOTALL)
    return {name: f"CREATE TRIGGER {name}{body}" for name, body in found}
