"""What has been landed and cleaned so far: nothing may be computed over a gap."""

from collections.abc import Sequence
from datetime import timedelta

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.nights import Night

MOST_NIGHTS_SHOWN = 5


class HistoryNotLanded(AthenaError):
    """Bulk history was delivered and has not been landed, so the night would not see it."""


class NightsMissing(AthenaError):
    """Earlier nights have not been landed, so the night would not see their orders."""


def refuse_gaps(
    connection: duckdb.DuckDBPyConnection, *, bulk_deliveries: Sequence[str], first_night: Night, until: Night
) -> None:
    """Refuse to go on unless the history and every night before `until` have been landed and cleaned.

    bulk_deliveries: ids of the deliveries that reach before the first night.
    Raises `HistoryNotLanded` or `NightsMissing`.
    """
    landed = _column(connection, "SELECT DISTINCT delivery_id FROM orders.accounting_history")
    missing_deliveries = sorted(set(bulk_deliveries) - landed)
    if missing_deliveries:
        raise HistoryNotLanded(
            f"the history before {first_night.key} has not been landed",
            expected=f"delivery {missing_deliveries[0]} in orders.accounting_history",
            found=f"{len(landed)} other deliveries" if landed else "nothing",
            next_command="athena run, or materialise the job `history`",
        )
    done = _column(connection, "SELECT DISTINCT CAST(night AS VARCHAR) FROM orders.accounting")
    days = (until.day - first_night.day).days
    before = [(first_night.day + timedelta(days=offset)).isoformat() for offset in range(days)]
    gaps = [day for day in before if day not in done]
    if gaps:
        more = f" and {len(gaps) - MOST_NIGHTS_SHOWN} more" if len(gaps) > MOST_NIGHTS_SHOWN else ""
        raise NightsMissing(
            f"nights before {until.key} have not been landed, and what follows would not see their orders",
            expected=f"every night from {first_night.key} landed and cleaned",
            found=f"not landed: {', '.join(gaps[:MOST_NIGHTS_SHOWN])}{more}",
            next_command=f"athena night {gaps[0]}",
        )


def _column(connection: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    try:
        return {str(value) for (value,) in connection.execute(sql).fetchall()}
    except duckdb.CatalogException:
        # The table is made by the first landing; before it nothing has been landed.
        return set()
