"""What has been landed and cleaned so far: nothing may be computed over a gap, or over what no longer counts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import timedelta

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.nights import Night
from athena_assets.orders.integrity import refuse_damaged
from athena_assets.pins import pinned_snapshots
from athena_assets.sources.deliveries import Delivery, snapshot_until

MOST_NIGHTS_SHOWN = 5


class HistoryNotLanded(AthenaError):
    """Bulk history was delivered and has not been landed, so the night would not see it."""


class NightsMissing(AthenaError):
    """Earlier nights have not been landed, so the night would not see their orders."""


class NightsOutdated(AthenaError):
    """Earlier nights were computed from other deliveries than those that count today."""


class TrainingOutdated(AthenaError):
    """A month's training set was made from other deliveries than those that count today."""


def refuse_gaps(
    connection: duckdb.DuckDBPyConnection, *, deliveries: Sequence[Delivery], first_night: Night, until: Night
) -> None:
    """Refuse to go on unless the history and every night before `until` have been landed and cleaned as delivered.

    deliveries: all that are registered. A night is as delivered when its account names exactly those that cover it:
    one that was replaced, withdrawn or joined by a late one since is not.
    Raises `HistoryNotLanded`, `NightsMissing`, `NightsOutdated` or `NightsDamaged`.
    """
    _refuse_other_history(connection, deliveries, first_night)
    accounts: dict[str, set[str]] = defaultdict(set)
    for day, delivery in _rows(
        connection, "SELECT DISTINCT CAST(night AS VARCHAR), delivery_id FROM orders.accounting"
    ):
        accounts[day].add(delivery)
    before = [first_night.plus(offset).day.isoformat() for offset in range((until.day - first_night.day).days)]
    covering = _covering(deliveries, first_night, until)
    gaps = [day for day in before if day not in accounts or day not in covering]
    if gaps:
        withdrawn, delivered = gaps[0] in accounts, gaps[0] in covering
        raise NightsMissing(
            f"nights before {until.key} have not been landed, and what follows would not see their orders",
            expected=f"every night from {first_night.key} landed and cleaned",
            found=f"{'landed from what was withdrawn' if withdrawn else 'not landed'}: {_shown(gaps)}",
            next_command=f"athena night {gaps[0]}" if delivered else f"athena load --night {gaps[0]} FILES",
        )
    if outdated := [day for day in before if accounts[day] != covering[day]]:
        raise _outdated(outdated, until)
    if before:
        refuse_damaged(connection, before=until)


def refuse_outdated(connection: duckdb.DuckDBPyConnection, *, deliveries: Sequence[Delivery], before: Night) -> None:
    """Refuse to go on over a night that was opened while other deliveries counted; raises `NightsOutdated`.

    A night sees what earlier ones brought, so one that is landed again makes those after it outdated too.
    """
    if outdated := outdated_nights(connection, deliveries, before=before):
        raise _outdated(outdated, before)


def sources_of_training(deliveries: Sequence[Delivery], until: Night) -> str:
    """The source snapshot of a training that stands at the midnight that ends the night before `until`."""
    return snapshot_until(deliveries, until.plus(-1))


def refuse_outdated_training(seen: str | None, *, deliveries: Sequence[Delivery], until: Night, month: str) -> None:
    """Refuse to go on from a training set of other deliveries than those that count today; raises `TrainingOutdated`.

    seen: the source snapshot that the training set was made from; None where nobody wrote it down. month: `YYYY-MM-01`.
    A night that is run again from the same deliveries is the same night, so it makes nothing outdated.
    """
    current = sources_of_training(deliveries, until)
    if seen != current:
        raise TrainingOutdated(
            f"the training set of {month[:7]} was made from deliveries that have been replaced or added to since",
            expected=f"source snapshot {current}",
            found=seen or "a training set that does not say",
            next_command=f"athena train --month {month[:7]}",
        )


def outdated_nights(
    connection: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery], *, before: Night | None = None
) -> list[str]:
    """Keys of the nights that pinned other deliveries than those that count today, in order."""
    pinned = {night: version for night, version in pinned_snapshots(connection) if before is None or night < before}
    # No night is run over an outdated one: if the last is as it should be, so are those before it.
    if not pinned or pinned[last := max(pinned)] == snapshot_until(deliveries, last):
        return []
    return [night.key for night in sorted(pinned) if pinned[night] != snapshot_until(deliveries, night)]


def _refuse_other_history(
    connection: duckdb.DuckDBPyConnection, deliveries: Sequence[Delivery], first_night: Night
) -> None:
    """Raise `HistoryNotLanded` unless exactly the deliveries that count are in the history's account."""
    landed = {
        delivery for (delivery,) in _rows(connection, "SELECT DISTINCT delivery_id FROM orders.accounting_history")
    }
    missing = sorted({each.delivery_id for each in deliveries if each.first_night < first_night.day} - landed)
    retired = sorted(landed - {each.delivery_id for each in deliveries})
    if not missing and not retired:
        return
    raise HistoryNotLanded(
        f"the history before {first_night.key} has not been landed",
        expected=f"delivery {missing[0]} in orders.accounting_history" if missing else "deliveries that still count",
        found=f"{retired[0]}, which no longer counts" if retired else f"{len(landed)} others" if landed else "nothing",
        next_command="athena run, or materialise the job `history`",
    )


def _covering(deliveries: Sequence[Delivery], first_night: Night, until: Night) -> Mapping[str, set[str]]:
    """Ids of the deliveries that cover each night from the first until before `until`."""
    found: dict[str, set[str]] = defaultdict(set)
    for delivery in deliveries:
        day, end = max(delivery.first_night, first_night.day), min(delivery.last_night, until.plus(-1).day)
        while day <= end:
            found[day.isoformat()].add(delivery.delivery_id)
            day += timedelta(days=1)
    return found


def _outdated(nights: Sequence[str], until: Night) -> NightsOutdated:
    again = " && ".join(f"athena night {night} --current" for night in nights[:MOST_NIGHTS_SHOWN])
    return NightsOutdated(
        f"nights before {until.key} were computed from deliveries that have been replaced or added to since",
        expected="every night before it computed from what counts today",
        found=f"outdated: {_shown(nights)}",
        next_command=again,
    )


def _shown(nights: Sequence[str]) -> str:
    more = f" and {len(nights) - MOST_NIGHTS_SHOWN} more" if len(nights) > MOST_NIGHTS_SHOWN else ""
    return f"{', '.join(nights[:MOST_NIGHTS_SHOWN])}{more}"


def _rows(connection: duckdb.DuckDBPyConnection, sql: str) -> list[tuple[str, ...]]:
    try:
        return connection.execute(sql).fetchall()
    except duckdb.CatalogException:
        # The table is made by the first landing; before it nothing has been landed.
        return []
