"""Brings what is kept from night to night (`carried.py`) to a night: moved on in place, or computed from all rows.

What is stored is good for a night where it was stored for that night or for one shortly before, by the same text, and
nothing that it rests on has been written since. `features.carried_book` says per table of which night it is, by which
text, and what the last write was then. A night before the stored one leaves it alone, and reads all rows.
"""

from typing import TYPE_CHECKING

from athena_assets.features.carried import CarriedTable
from athena_assets.features.feature_set import FeatureSet
from athena_assets.nights import Night
from athena_assets.sql import parameters_used
from checks.verdicts import Writes

if TYPE_CHECKING:
    import duckdb

BOOK = "features.carried_book"
LONGEST_STEP_DAYS = 7
"""From an earlier night than that, most customers would have to be computed again."""

_DDL = f"""
CREATE SCHEMA IF NOT EXISTS features;
CREATE TABLE IF NOT EXISTS {BOOK} (
  table_name VARCHAR PRIMARY KEY, night DATE NOT NULL, version VARCHAR NOT NULL, last_write BIGINT NOT NULL
);
"""


def bring_up_to_date(
    connection: "duckdb.DuckDBPyConnection", feature_set: FeatureSet, night: Night, writes: Writes
) -> dict[str, Night | None]:
    """Store what can be carried for the night, in the caller's transaction.

    Returns for each table that is stored the night that it was moved on from, None where it was computed from all
    rows; a table that belongs to a later night is not among them.
    """
    connection.execute(_DDL)
    moved: dict[str, Night | None] = {}
    for name, table in feature_set.carried.items():
        stored = _stored(connection, table, writes)
        if stored is not None and stored.day > night.day:
            continue
        is_near = stored is not None and night.day <= stored.plus(LONGEST_STEP_DAYS).day
        moved[name] = earlier = stored if is_near else None
        if earlier is None:
            _store(connection, table, night)
        elif earlier != night:
            _move(connection, table, earlier, night)
        connection.execute(
            f"INSERT OR REPLACE INTO {BOOK} VALUES ($table, $night, $version, $last)",
            {"table": name, "night": night.day, "version": table.version, "last": writes.last},
        )
    return moved


def _stored(connection: "duckdb.DuckDBPyConnection", table: CarriedTable, writes: Writes) -> Night | None:
    """The night of what is stored; None where it is not to be relied on."""
    source = table.base.source.replace(".all_", ".")
    rows = connection.execute(
        f"SELECT night, last_write FROM {BOOK} WHERE table_name = $table AND version = $version",
        {"table": table.base.table, "version": table.version},
    ).fetchall()
    for day, number in rows:
        if not writes.since(number, (source, f"{source}_history"), until=Night(day).key):
            return Night(day)
    return None


def _times(night: Night) -> dict[str, object]:
    return {"as_of": night.as_of, "cutoff": night.cutoff}


def _store(connection: "duckdb.DuckDBPyConnection", table: CarriedTable, night: Night) -> None:
    text = table.from_all_rows()
    connection.execute(f"CREATE OR REPLACE TABLE {table.address} AS {text}", parameters_used(text, _times(night)))


def _move(connection: "duckdb.DuckDBPyConnection", table: CarriedTable, earlier: Night, night: Night) -> None:
    text = table.from_earlier((night.day - earlier.day).days)
    times = {**_times(night), **{f"earlier_{name}": value for name, value in _times(earlier).items()}}
    changed = f"changed_{table.base.table}"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {changed} AS {text}", parameters_used(text, times))
    connection.execute(f"DELETE FROM {table.address} WHERE customer_id IN (SELECT customer_id FROM {changed})")
    connection.execute(f"INSERT INTO {table.address} BY NAME SELECT * EXCLUDE stays FROM {changed} WHERE stays")
    connection.execute(f"DROP TABLE {changed}")
    if not table.is_divided_alike(earlier.as_of, night.as_of):
        text = table.divided_anew()
        connection.execute(f"CREATE OR REPLACE TABLE {table.address} AS {text}", parameters_used(text, _times(night)))
    elif _is_worn(connection, table.address):
        connection.execute(f"CREATE OR REPLACE TABLE {table.address} AS FROM {table.address}")


def _is_worn(connection: "duckdb.DuckDBPyConnection", address: str) -> bool:
    """Whether rows that were taken out, and are passed over by every scan, outnumber those that are left."""
    schema, name = address.split(".")
    ((stored,),) = connection.execute(
        "SELECT estimated_size FROM duckdb_tables() WHERE schema_name = $schema AND table_name = $name",
        {"schema": schema, "name": name},
    ).fetchall()
    ((left,),) = connection.execute(f"SELECT count(*) FROM {address}").fetchall()
    return bool(stored > 2 * left)
