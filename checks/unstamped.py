"""Rows that no step has stamped: a home from before the gate has them, and nothing that reads them is computed."""

from collections.abc import Iterator

import dagster as dg
import duckdb

from athena_assets.errors import AthenaError
from checks.needs import GatePlan
from checks.partition_names import is_monthly
from checks.verdicts import UNPARTITIONED, has_gate

MOST_SHOWN = 5


class WrittenBeforeGate(AthenaError):
    """Tables hold rows of which nobody says who wrote them, so that no check can speak for them."""

    table = ""
    """The first of them."""


def refuse_unstamped(connection: duckdb.DuckDBPyConnection, plan: GatePlan, *, next_command: str) -> None:
    """Raise `WrittenBeforeGate` where a partition that has rows, and checks to pass, has no line of the gate.

    next_command: what makes them anew, which is the one way to know where they come from.
    """
    found = list(unstamped(connection, plan))
    if not found:
        return
    more = f" and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
    error = WrittenBeforeGate(
        "tables were written before the gate, and nothing is computed from what no check has passed",
        expected="a line in gate.materialisation for every partition that has rows",
        found=", ".join(f"{asset} {partition}".strip() for asset, partition in found[:MOST_SHOWN]) + more,
        next_command=next_command,
    )
    error.table = found[0][0]
    raise error


def unstamped(connection: duckdb.DuckDBPyConnection, plan: GatePlan) -> Iterator[tuple[str, str]]:
    """`(asset, partition)` of rows without a stamp, of the assets that have blocking checks, upstream first."""
    stamped: set[tuple[str, str]] = set()
    if has_gate(connection):
        stamped = set(connection.execute("SELECT asset, partition FROM gate.materialisation").fetchall())
    there = {
        f"{schema}.{table}"
        for schema, table in connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
    }
    for asset in plan.addresses:
        if asset not in there or not plan.own([(asset, UNPARTITIONED)]):
            continue
        for partition in _written(connection, asset, plan.partitions_of(asset)):
            if (asset, partition) not in stamped:
                yield asset, partition


def _written(
    connection: duckdb.DuckDBPyConnection, asset: str, partitions: dg.PartitionsDefinition | None
) -> list[str]:
    """The partitions of which a table has rows."""
    if partitions is None:
        return [UNPARTITIONED] if connection.execute(f"SELECT 1 FROM {asset} LIMIT 1").fetchall() else []
    column = "month" if is_monthly(partitions) else "night"
    rows = connection.execute(f"SELECT DISTINCT CAST({column} AS VARCHAR) FROM {asset} ORDER BY 1").fetchall()
    return [str(row[0]) for row in rows]
