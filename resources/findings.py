"""Findings: everything that is wrong now or was, each with when it was first and last seen.

Check steps, failing steps and failing commands write them; a later look at the same thing that does not find them
again clears them. Alerts are made of what is open. A finding that comes back after it was cleared is a new incident.
"""

import sqlite3
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Literal

from resources.outbox import Outbox, OutboxUnavailable, moment, stamp

Place = tuple[str, str, str]
"""Where a look was taken: asset, partition, check."""


def error_check(step: str) -> str:
    """`check` of what a step left when it ended with an error: only the same step can clear it."""
    return f"error:{step}"


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: a rule that failed, or a step or command that ended with a named error."""

    kind: Literal["check", "error"]
    severity: Literal["ERROR", "WARN"]
    """ERROR blocks; WARN informs."""
    asset: str
    """`schema.table`; the name of the command where there is no asset ("athena train")."""
    partition: str
    """Dagster's key; '' where there is none."""
    check: str
    """Group of the rule ("completeness"); `error_check` of a step; the name of the command for a command."""
    rule: str
    """Id of the rule ("total_order_amount.required"); class of the error ("ColumnsDiffer")."""
    summary: str
    """One sentence for a person: what, figure, limit."""
    figure: str = ""
    limit: str = ""
    owner: str = ""
    run_id: str = ""
    details: str = ""
    """The whole error text, or offending rows as text."""

    @property
    def place(self) -> Place:
        """What has to be looked at again for the finding to be cleared."""
        return (self.asset, self.partition, self.check)


@dataclass(frozen=True)
class RecordedFinding:
    """One incident of a finding, as the outbox holds it; moments are UTC."""

    id: int
    finding: Finding
    first_seen: datetime
    last_seen: datetime
    times_seen: int
    cleared_at: datetime | None
    """None while it is open."""
    alert_key: str | None
    """The key of its alert; None until it is grouped."""


class Findings:
    """The findings of one home."""

    def __init__(self, home: Path) -> None:
        self.outbox = Outbox(home)

    def observe(self, found: Sequence[Finding], *, looked_at: Iterable[Place], at: datetime) -> None:
        """Open what was found, or see it again; clear what was not found again where it was looked for.

        looked_at: places that were looked at; whatever is open there and not in `found` is cleared. A finding whose
        place was not looked at stays as it is.

        Never raises for the sake of the outbox: an outbox that cannot be written must not hide the error that was
        to be written into it. What could not be written is said on standard error, once in a process.
        """
        places = list(looked_at)
        try:
            if not found and not self.outbox.exists():
                return
            with self.outbox.opened() as store:
                for finding in found:
                    _see(store, finding, stamp(at))
                _clear(store, {(*each.place, each.rule) for each in found}, places, stamp(at))
        except OutboxUnavailable as error:
            _say_once(str(self.outbox.path), error, found)

    def open(self) -> list[RecordedFinding]:
        """What is wrong now, in the order in which it was first seen; raises `OutboxUnavailable`."""
        return self._select("cleared_at IS NULL", ())

    def since(self, start: datetime) -> list[RecordedFinding]:
        """What is open, or was seen or cleared at `start` or later; raises `OutboxUnavailable`."""
        then = stamp(start)
        return self._select("cleared_at IS NULL OR last_seen >= ? OR cleared_at >= ?", (then, then))

    def _select(self, condition: str, values: tuple[str, ...]) -> list[RecordedFinding]:
        if not self.outbox.exists():
            return []
        with self.outbox.opened(write=False) as store:
            return select_findings(store, condition, values)


def select_findings(store: sqlite3.Connection, condition: str, values: tuple[str, ...] = ()) -> list[RecordedFinding]:
    """Findings of an opened outbox, in the order in which they were first seen."""
    rows = store.execute(
        "SELECT finding.*, alert.key AS alert_key FROM finding LEFT JOIN alert ON alert.id = finding.alert_id"
        f" WHERE {condition} ORDER BY finding.id",
        values,
    ).fetchall()
    return [_recorded(row) for row in rows]


_COLUMNS = {"check": "check_name", "limit": "allowed"}
"""Fields whose names are words of SQL."""

_NAMES = tuple(field.name for field in fields(Finding))
_KEY = ("asset", "partition", "check", "rule")


def _column(name: str) -> str:
    return _COLUMNS.get(name, name)


def _see(store: sqlite3.Connection, finding: Finding, now: str) -> None:
    columns = ", ".join(_column(name) for name in _NAMES)
    updates = ", ".join(f"{_column(name)} = excluded.{_column(name)}" for name in _NAMES if name not in _KEY)
    store.execute(
        f"INSERT INTO finding ({columns}, first_seen, last_seen, times_seen)"
        f" VALUES ({', '.join('?' for _ in _NAMES)}, ?, ?, 1)"
        " ON CONFLICT (asset, partition, check_name, rule) WHERE cleared_at IS NULL"
        f" DO UPDATE SET {updates}, last_seen = max(last_seen, excluded.last_seen), times_seen = times_seen + 1",
        (*(getattr(finding, name) for name in _NAMES), now, now),
    )


def _clear(store: sqlite3.Connection, found: set[tuple[str, str, str, str]], places: list[Place], now: str) -> None:
    for asset, partition, check in places:
        rows = store.execute(
            "SELECT id, rule FROM finding WHERE asset = ? AND partition = ? AND check_name = ? AND cleared_at IS NULL",
            (asset, partition, check),
        ).fetchall()
        gone = [(now, row["id"]) for row in rows if (asset, partition, check, row["rule"]) not in found]
        store.executemany("UPDATE finding SET cleared_at = max(?, last_seen) WHERE id = ?", gone)


def _recorded(row: sqlite3.Row) -> RecordedFinding:
    return RecordedFinding(
        id=row["id"],
        finding=Finding(**{name: row[_column(name)] for name in _NAMES}),
        first_seen=moment(row["first_seen"]),
        last_seen=moment(row["last_seen"]),
        times_seen=row["times_seen"],
        cleared_at=moment(row["cleared_at"]) if row["cleared_at"] else None,
        alert_key=row["alert_key"],
    )


_said: set[str] = set()


def _say_once(path: str, error: OutboxUnavailable, found: Sequence[Finding]) -> None:
    if path in _said:
        return
    _said.add(path)
    lost = "".join(f"\n  unrecorded: {each.severity} {each.asset} {each.partition}: {each.summary}" for each in found)
    sys.stderr.write(f"warning: {error}{lost}\n")
