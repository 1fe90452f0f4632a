"""The book of alerts: which alert is open, and what each channel was told of it.

A message is claimed in a transaction, its claim is renewed just before it is sent, and it is entered as told
afterwards. A second process therefore does not send it again; when the first one dies in between, or is kept busy by
the messages before it, its claim runs out and another one sends it. So everything is told at least once, and twice only
after a crash.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from athena_assets.errors import InvalidArgument
from athena_assets.monitoring.grouping import Group
from athena_assets.wording import need_words
from resources.findings import RecordedFinding, select_findings
from resources.outbox import Outbox, moment, stamp

LEASE = timedelta(minutes=5)
"""How long a claim holds: longer than any transport takes to fail with one message."""

Occasion = Literal["opened", "escalated", "reminder", "resolved"]
"""Why a channel is told: it does not know yet, it got worse, it is still open, it is over."""

Grouping = Callable[[Sequence[RecordedFinding]], Sequence[Group]]


@dataclass(frozen=True)
class RecordedAlert:
    """One alert as the book holds it; moments are UTC."""

    id: int
    key: str
    severity: str
    """The gravest that it had."""
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    findings: tuple[RecordedFinding, ...]
    """Open ones; of a resolved alert all that it had."""


@dataclass(frozen=True)
class Claim:
    """One message that this process is to send."""

    alert: RecordedAlert
    channel: str
    occasion: Occasion
    until: datetime
    """When another process may take it."""


@dataclass(frozen=True)
class Undelivered:
    """A message that did not arrive."""

    alert_id: int
    channel: str
    failures: int
    failure: str


class AlertBook:
    """The alerts of one home. Every method raises `OutboxUnavailable` where the outbox cannot be used."""

    def __init__(self, home: Path) -> None:
        self.outbox = Outbox(home)

    def settle(self, group: Grouping, *, channels: Sequence[str], remind_after: timedelta, at: datetime) -> list[Claim]:
        """Bring the alerts up to the findings, and claim what the channels are to be told.

        group: makes groups of the open findings; it runs inside the transaction and must not take long.
        remind_after: an alert that is still open, and that nobody has acknowledged, is told again after this time.
        """
        if not self.outbox.exists():
            return []
        with self.outbox.opened() as store:
            _follow_findings(store, group(select_findings(store, "cleared_at IS NULL")), stamp(at))
            claims = []
            for row in store.execute("SELECT * FROM alert ORDER BY id").fetchall():
                alert: RecordedAlert | None = None
                for channel in channels:
                    occasion = _occasion(store, row, channel, remind_after, at)
                    if occasion is not None:
                        alert = alert or _recorded(store, row)
                        claims.append(Claim(alert, channel, occasion, until=at + LEASE))
                        _claim(store, row["id"], channel, at + LEASE)
        return claims

    def renew(self, claim: Claim, at: datetime) -> Claim | None:
        """Hold a claim for another lease, just before it is sent; None where it ran out and another process took it."""
        renewed = replace(claim, until=at + LEASE)
        with self.outbox.opened() as store:
            held = store.execute(
                "UPDATE telling SET claimed_until = ? WHERE alert_id = ? AND channel = ? AND claimed_until = ?",
                (stamp(renewed.until), claim.alert.id, claim.channel, stamp(claim.until)),
            )
            return renewed if held.rowcount else None

    def told(self, claim: Claim, at: datetime) -> None:
        """Enter that a message has arrived."""
        place = (claim.alert.id, claim.channel)
        with self.outbox.opened() as store:
            row = store.execute("SELECT assets FROM telling WHERE alert_id = ? AND channel = ?", place).fetchone()
            said = {*json.loads(row["assets"]), *(each.finding.asset for each in claim.alert.findings)}
            store.execute(
                "UPDATE telling SET severity = ?, assets = ?, told_at = ?, resolved_told = ?, claimed_until = NULL,"
                " failures = 0, failure = '' WHERE alert_id = ? AND channel = ?",
                (claim.alert.severity, json.dumps(sorted(said)), stamp(at), claim.occasion == "resolved", *place),
            )

    def not_told(self, claim: Claim, failure: str) -> None:
        """Enter that a message has not arrived: it is due again."""
        with self.outbox.opened() as store:
            store.execute(
                "UPDATE telling SET claimed_until = NULL, failures = failures + 1, failure = ?"
                " WHERE alert_id = ? AND channel = ?",
                (failure, claim.alert.id, claim.channel),
            )

    def alerts(self, *, resolved: bool = False) -> list[RecordedAlert]:
        """The open alerts, oldest first; with the resolved ones when asked for."""
        if not self.outbox.exists():
            return []
        condition = "true" if resolved else "resolved_at IS NULL"
        with self.outbox.opened(write=False) as store:
            rows = store.execute(f"SELECT * FROM alert WHERE {condition} ORDER BY id").fetchall()
            return [_recorded(store, row) for row in rows]

    def undelivered(self, channels: Collection[str]) -> list[Undelivered]:
        """Messages whose last attempt failed, on channels that there are today."""
        if not self.outbox.exists():
            return []
        with self.outbox.opened(write=False) as store:
            rows = store.execute("SELECT * FROM telling WHERE failures > 0 ORDER BY alert_id, channel").fetchall()
        return [
            Undelivered(row["alert_id"], row["channel"], row["failures"], row["failure"])
            for row in rows
            if row["channel"] in channels
        ]

    def acknowledge(self, alert_id: int, by: str, at: datetime) -> RecordedAlert:
        """Enter who takes care of an alert: no more reminders, but still what is new about it.

        Raises `InvalidArgument` for one that is not open, and for a person without a name.
        """
        by = need_words("--by", by)
        rows: list[sqlite3.Row] = []
        if self.outbox.exists():
            with self.outbox.opened() as store:
                store.execute(
                    "UPDATE alert SET acknowledged_by = ?, acknowledged_at = ? WHERE id = ? AND resolved_at IS NULL",
                    (by, stamp(at), alert_id),
                )
                rows = store.execute("SELECT * FROM alert WHERE id = ? AND resolved_at IS NULL", (alert_id,)).fetchall()
                if rows:
                    return _recorded(store, rows[0])
        raise InvalidArgument(
            f"there is no open alert {alert_id}",
            expected="the number of an open alert",
            found=str(alert_id),
            next_command="athena alerts",
        )


def _follow_findings(store: sqlite3.Connection, groups: Sequence[Group], now: str) -> None:
    """Open an alert for each new group, raise the severity of one that got worse, resolve what has nothing left."""
    for group in groups:
        store.execute(
            "INSERT INTO alert (key, severity, opened_at) VALUES (?, ?, ?)"
            " ON CONFLICT (key) WHERE resolved_at IS NULL DO UPDATE SET severity ="
            " CASE WHEN excluded.severity = 'ERROR' THEN 'ERROR' ELSE severity END",
            (group.key, group.severity, now),
        )
        ((alert_id,),) = store.execute(
            "SELECT id FROM alert WHERE key = ? AND resolved_at IS NULL", (group.key,)
        ).fetchall()
        store.executemany(
            "UPDATE finding SET alert_id = ? WHERE id = ? AND alert_id IS NULL",
            [(alert_id, each.id) for each in group.members],
        )
    store.execute(
        "UPDATE alert SET resolved_at = ? WHERE resolved_at IS NULL AND NOT EXISTS"
        " (SELECT 1 FROM finding WHERE finding.alert_id = alert.id AND finding.cleared_at IS NULL)",
        (now,),
    )


def _occasion(
    store: sqlite3.Connection, alert: sqlite3.Row, channel: str, remind_after: timedelta, at: datetime
) -> Occasion | None:
    """Why the channel is to be told of the alert now; None where it is not, or another process is at it."""
    told = store.execute("SELECT * FROM telling WHERE alert_id = ? AND channel = ?", (alert["id"], channel)).fetchone()
    over = alert["resolved_at"] is not None
    if told is None:
        return None if over else "opened"
    if told["claimed_until"] is not None and told["claimed_until"] > stamp(at):
        return None
    if over:
        # Also where every attempt to say that it was open has failed: a transport that is down loses no alert.
        return None if told["resolved_told"] else "resolved"
    if told["told_at"] is None:
        return "opened"
    assets = store.execute(
        "SELECT DISTINCT asset FROM finding WHERE alert_id = ? AND cleared_at IS NULL", (alert["id"],)
    ).fetchall()
    news = {row["asset"] for row in assets} - set(json.loads(told["assets"]))
    if news or (alert["severity"] == "ERROR" and told["severity"] == "WARN"):
        return "escalated"
    if alert["acknowledged_by"] is None and moment(told["told_at"]) + remind_after <= at:
        return "reminder"
    return None


def _claim(store: sqlite3.Connection, alert_id: int, channel: str, until: datetime) -> None:
    store.execute(
        "INSERT INTO telling (alert_id, channel, claimed_until) VALUES (?, ?, ?)"
        " ON CONFLICT (alert_id, channel) DO UPDATE SET claimed_until = excluded.claimed_until",
        (alert_id, channel, stamp(until)),
    )


def _recorded(store: sqlite3.Connection, row: sqlite3.Row) -> RecordedAlert:
    over = row["resolved_at"] is not None
    condition = f"finding.alert_id = {int(row['id'])}" + ("" if over else " AND cleared_at IS NULL")
    return RecordedAlert(
        id=row["id"],
        key=row["key"],
        severity=row["severity"],
        opened_at=moment(row["opened_at"]),
        resolved_at=moment(row["resolved_at"]) if over else None,
        acknowledged_by=row["acknowledged_by"],
        findings=tuple(select_findings(store, condition)),
    )
