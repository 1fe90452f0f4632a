"""Brings what nights carry over (`carried.py`) to a night: moved on from an earlier one, or computed from all rows.

An earlier night is only good where it was computed by the same feature set and nothing that it read has been written
since. `features.carried` keeps the book: per night and table, by which feature set, and what the last write was then.
"""

from typing import TYPE_CHECKING

from athena_assets.features.carried import CarriedTable
from athena_assets.features.feature_set import FeatureSet
from athena_assets.nights import Night
from athena_assets.sql import columns_of
from checks.verdicts import Writes

if TYPE_CHECKING:
    import duckdb

BOOK = "features.carried"
LONGEST_STEP_DAYS = 7
"""From an earlier night than that, most customers would have to be computed again."""

_DDL = f"""
CREATE SCHEMA IF NOT EXISTS features;
CREATE TABLE IF NOT EXISTS {BOOK} (
  night DATE, table_name VARCHAR, version VARCHAR NOT NULL, last_write BIGINT NOT NULL,
  PRIMARY KEY (night, table_name)
);
"""


def bring_up_to_date(
    connection: "duckdb.DuckDBPyConnection", feature_set: FeatureSet, night: Night, writes: Writes
) -> dict[str, Night | None]:
    """Store what the night carries, in the caller's transaction.

    Returns for each table the earlier night that it was moved on from, None where it was computed from all rows.
    Older nights than the one before are forgotten.
    """
    connection.execute(_DDL)
    moved: dict[str, Night | None] = {}
    for name, table in feature_set.carried.items():
        earlier = _earlier(connection, table, feature_set.version, night, writes)
        moved[name] = earlier
        _store(connection, table, night, earlier)
        connection.execute(
            f"INSERT OR REPLACE INTO {BOOK} VALUES ($night, $table, $version, $last)",
            {"night": night.day, "table": name, "version": feature_set.version, "last": writes.last},
        )
    return moved


def _earlier(
    connection: "duckdb.DuckDBPyConnection", table: CarriedTable, version: str, night: Night, writes: Writes
) -> Night | None:
    """The latest night before this one from which the table can be moved on."""
    source = table.base.source.replace(".all_", ".")
    first = night.plus(-LONGEST_STEP_DAYS)
    rows = connection.execute(
        f"SELECT night, last_write FROM {BOOK} WHERE table_name = $table AND version = $version"
        " AND night < $night AND night >= $first ORDER BY night DESC",
        {"table": table.base.table, "version": version, "night": night.day, "first": first.day},
    ).fetchall()
    known = [(Night(day), int(number)) for day, number in rows]
    return next(
        (e for e, number in known if not writes.since(number, (source, f"{source}_history"), until=e.key)), None
    )


def _store(connection: "duckdb.DuckDBPyConnection", table: CarriedTable, night: Night, earlier: Night | None) -> None:
    times: dict[str, object] = {"night": night.day, "as_of": night.as_of, "cutoff": night.cutoff}
    if earlier is None:
        text = table.from_all_rows()
    else:
        text = table.from_earlier((night.day - earlier.day).days)
        times |= {
            "earlier_night": earlier.day,
            "earlier_as_of": earlier.as_of,
            "earlier_cutoff": earlier.cutoff,
        }
    select = f"SELECT CAST($night AS DATE) AS night, * FROM (\n{text})"
    columns = {"night", "customer_id", *(column.name for column in table.columns)}
    if earlier is None and columns_of(connection, table.address).keys() != columns:
        connection.execute(f"CREATE OR REPLACE TABLE {table.address} AS {select}", times)
        connection.execute(f"DELETE FROM {BOOK} WHERE table_name = $table", {"table": table.base.table})
        return
    before = (earlier or night.plus(-1)).day
    connection.execute(
        f"DELETE FROM {table.address} WHERE night = $night OR night < $before", {"night": night.day, "before": before}
    )
    # What the book names is moved on from, so a night whose rows are gone must not be in it.
    connection.execute(
        f"DELETE FROM {BOOK} WHERE table_name = $table AND night < $before",
        {"table": table.base.table, "before": before},
    )
    connection.execute(f"INSERT INTO {table.address} BY NAME {select}", times)
