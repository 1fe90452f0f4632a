"""Overrides: a named person lets something through that a check refuses, for a reason, a scope and a time.

An override is a row, never a switch: it says who, why, what exactly and until when, it is shown wherever it is used,
and every use is written down.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from athena_assets.errors import AthenaError, InvalidArgument
from athena_assets.wording import need_words, one_line
from checks.verdicts import UNPARTITIONED, ensure_gate, has_gate

EVERY_CHECK = "*"
LONGEST = timedelta(days=7)
"""An override is a bridge until the cause is mended, not another limit."""


class UnknownOverride(AthenaError):
    """No override has that number, or it has ended."""


@dataclass(frozen=True)
class Override:
    """One decision of a person. Times are naive UTC; partitions are inclusive keys, '' for an unpartitioned asset."""

    id: int
    asset: str
    first_partition: str
    last_partition: str
    check: str
    person: str
    reason: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None
    revoked_by: str | None = None

    def covers(self, asset: str, partition: str, check: str) -> bool:
        """Whether the override is about this check of this partition."""
        return (
            self.asset == asset
            and self.check in (EVERY_CHECK, check)
            and self.first_partition <= partition <= self.last_partition
        )

    @property
    def scope(self) -> str:
        """What it lets through, in words."""
        last = f" to {self.last_partition}" if self.last_partition != self.first_partition else ""
        check = "every check" if self.check == EVERY_CHECK else f"check {self.check}"
        return f"{f'{self.asset} {self.first_partition}'.strip()}{last}, {check}"

    def sentence(self) -> str:
        """What the UI, the alert and the report say."""
        until = f"{self.expires_at:%Y-%m-%d %H:%M} UTC"
        return f"overridden by {one_line(self.person)} until {until}: {one_line(self.reason)} (override {self.id})"


def lasting_hours(hours: float) -> timedelta:
    """How long an override is to last; raises `InvalidArgument` for what is no time, or too much of it."""
    if not 0 < hours <= LONGEST / timedelta(hours=1):
        raise _too_long(hours)
    return timedelta(hours=hours)


def _too_long(hours: float) -> InvalidArgument:
    return InvalidArgument(
        "an override lasts at most a week",
        expected=f"more than 0 and at most {LONGEST.days * 24} hours",
        found=f"{hours:g} hours",
        next_command="mend the cause, or change the contract (athena contracts diff)",
    )


def grant(
    connection: duckdb.DuckDBPyConnection,
    *,
    asset: str,
    first_partition: str,
    last_partition: str,
    check: str,
    person: str,
    reason: str,
    at: datetime,
    lasting: timedelta,
) -> Override:
    """Write an override down, in the caller's transaction; raises `InvalidArgument` for one that is no decision."""
    person, reason = need_words("--by", person), need_words("--reason", reason)
    if not timedelta() < lasting <= LONGEST:
        raise _too_long(lasting / timedelta(hours=1))
    if first_partition > last_partition:
        raise InvalidArgument(
            "the scope of the override is empty",
            expected="a first partition before the last",
            found=f"{first_partition} to {last_partition}",
        )
    ensure_gate(connection)
    ((number,),) = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM gate.override").fetchall()
    override = Override(int(number), asset, first_partition, last_partition, check, person, reason, at, at + lasting)
    connection.execute(
        "INSERT INTO gate.override VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL)",
        [number, asset, first_partition, last_partition, check, person, reason, at, override.expires_at],
    )
    return override


def revoke(connection: duckdb.DuckDBPyConnection, number: int, *, person: str, at: datetime) -> None:
    """End an override now; raises `UnknownOverride` unless it is live, `InvalidArgument` without a person."""
    person = need_words("--by", person)
    if number not in {each.id for each in live(connection, at=at)}:
        raise UnknownOverride(
            f"there is no live override {number}",
            expected="the number of a live one",
            found=str(number),
            next_command="athena override list",
        )
    connection.execute(
        "UPDATE gate.override SET revoked_at = $at, revoked_by = $person WHERE id = $id",
        {"at": at, "person": person, "id": number},
    )


def end_for_nights(
    connection: duckdb.DuckDBPyConnection,
    first: str,
    last: str,
    *,
    bulk: bool,
    monthly: Collection[str],
    person: str,
    at: datetime,
) -> list[Override]:
    """End the live overrides of these nights: what they were granted for is being replaced. Returns those ended.

    bulk: whether the nights are those of a bulk history, whose tables (`*_history`) have no partitions.
    monthly: schemas whose partitions are months; a month is one of these nights' if one of them lies in it.
    """
    ended = [each for each in live(connection, at=at) if _is_of(each, first, last, bulk=bulk, monthly=monthly)]
    for each in ended:
        revoke(connection, each.id, person=person, at=at)
    return ended


def _is_of(each: Override, first: str, last: str, *, bulk: bool, monthly: Collection[str]) -> bool:
    schema, _, table = each.asset.partition(".")
    if each.first_partition == UNPARTITIONED:
        return bulk and table.endswith("_history")
    earliest = f"{first[:7]}-01" if schema in monthly else first
    return each.first_partition <= last and each.last_partition >= earliest


def every(connection: duckdb.DuckDBPyConnection) -> list[Override]:
    """All overrides there have ever been, oldest first."""
    if not has_gate(connection):
        return []
    rows = connection.execute(
        "SELECT id, asset, first_partition, last_partition, check_name, person, reason, created_at, expires_at,"
        " revoked_at, revoked_by FROM gate.override ORDER BY id"
    ).fetchall()
    return [Override(*row) for row in rows]


def live(connection: duckdb.DuckDBPyConnection, *, at: datetime) -> list[Override]:
    """Overrides that hold at a moment."""
    return [each for each in every(connection) if each.revoked_at is None and each.created_at <= at < each.expires_at]


def uses(connection: duckdb.DuckDBPyConnection) -> dict[int, int]:
    """How many assets were computed on the strength of each override, by its number."""
    if not has_gate(connection):
        return {}
    rows = connection.execute("SELECT override, count(*) FROM gate.override_use GROUP BY override").fetchall()
    return {int(number): int(count) for number, count in rows}


def relied_on_by(connection: duckdb.DuckDBPyConnection, number: int) -> list[tuple[str, str]]:
    """`(asset, partition)` of what was computed on the strength of an override, in order of time, each once."""
    rows = connection.execute(
        "SELECT asset, partition FROM gate.override_use WHERE override = $number"
        " GROUP BY ALL ORDER BY min(used_at), asset, partition",
        {"number": number},
    ).fetchall()
    return [(str(asset), str(partition)) for asset, partition in rows]


def covering(overrides: Iterable[Override], asset: str, partition: str, check: str) -> Override | None:
    """The override that lets a check through, if there is one."""
    return next((each for each in overrides if each.covers(asset, partition, check)), None)


def record_use(
    connection: duckdb.DuckDBPyConnection,
    used: Sequence[Override],
    *,
    asset: str,
    partition: str,
    run_id: str,
    at: datetime,
) -> None:
    """Write down that an asset was computed on the strength of overrides."""
    for each in used:
        connection.execute(
            "INSERT INTO gate.override_use VALUES (?, ?, ?, ?, ?)", [each.id, asset, partition, run_id, at]
        )
