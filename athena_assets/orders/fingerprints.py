"""Which nights may have told an order that a night brings: a fingerprint of every kept order, kept from night to night.

Whether an order was known, only the ids of all earlier lines say, and a hundred million of them take 1.7 CPU seconds to
unpack and compare. A fingerprint is 48 bits of the id's hash, one per order and night: it only narrows the search to
nights, whose lines decide. It is good for the write of a partition whose lines it was made of, and for the version of
DuckDB whose hash it is; `orders.fingerprint_book` says which these were.
"""

from typing import TYPE_CHECKING

from athena_assets.nights import Night
from checks.verdicts import UNPARTITIONED, Writes

if TYPE_CHECKING:
    import duckdb

FINGERPRINTS, BOOK = "orders.fingerprints", "orders.fingerprint_book"
ORDER_NIGHTS = "order_nights"
"""The fact (sql/order_nights.sql) that the fingerprints give in a fraction of its time."""

_HISTORY, _NIGHTS = "orders.order_lines_history", "orders.order_lines"
_FINGERPRINT = "hash(order_id) >> 16"
_DDL = f"""
CREATE TABLE IF NOT EXISTS {FINGERPRINTS} (partition VARCHAR, night DATE, fingerprint UBIGINT);
CREATE TABLE IF NOT EXISTS {BOOK} (partition VARCHAR PRIMARY KEY, written BIGINT NOT NULL, made_by VARCHAR NOT NULL);
"""


def make_order_nights(connection: "duckdb.DuckDBPyConnection", night: Night, writes: Writes) -> set[str]:
    """Make the fact of a night, of fingerprints that are brought up to date first, in the caller's transaction.

    Returns the names of the facts that are made: none where rows stand that no write answers for.
    """
    earlier = {partition: number for partition, number in writes.of.get(_NIGHTS, ()) if partition < night.key}
    earlier |= dict(writes.of.get(_HISTORY, ()))
    if not _answers_for_all(connection, night, earlier):
        return set()
    connection.execute(_DDL)
    ((version,),) = connection.execute("SELECT version()").fetchall()
    lines = connection.execute(f"SELECT * FROM {BOOK}").fetchall()
    if any(made_by != version for _, _, made_by in lines):
        for table in (FINGERPRINTS, BOOK):
            connection.execute(f"DELETE FROM {table}")
        lines = []
    kept = {partition: number for partition, number, _ in lines}
    for partition, number in sorted(earlier.items()):
        if kept.get(partition) != number:
            _keep(connection, partition, number, version, is_new=partition not in kept)
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {ORDER_NIGHTS} AS SELECT DISTINCT night FROM {FINGERPRINTS}"
        f" WHERE fingerprint IN (SELECT {_FINGERPRINT} FROM raw.order_lines WHERE night = $night)",
        {"night": night.day},
    )
    return {ORDER_NIGHTS}


def _answers_for_all(connection: "duckdb.DuckDBPyConnection", night: Night, earlier: dict[str, int]) -> bool:
    """Whether every partition that has lines was stamped by who wrote it; the account has a line for every night."""
    nights = connection.execute(
        "SELECT DISTINCT CAST(night AS VARCHAR) FROM orders.accounting WHERE night < $night", {"night": night.day}
    ).fetchall()
    history = connection.execute(f"SELECT 1 FROM {_HISTORY} LIMIT 1").fetchall()
    return (not history or UNPARTITIONED in earlier) and earlier.keys() >= {key for (key,) in nights}


def _keep(connection: "duckdb.DuckDBPyConnection", partition: str, number: int, version: str, *, is_new: bool) -> None:
    values = {"partition": partition}
    if not is_new:
        connection.execute(f"DELETE FROM {FINGERPRINTS} WHERE partition = $partition", values)
    rows = _HISTORY if partition == UNPARTITIONED else f"{_NIGHTS} WHERE night = CAST($partition AS DATE)"
    # Lines of an order stand together: where the one before has the same fingerprint, another is not needed.
    connection.execute(
        f"INSERT INTO {FINGERPRINTS} SELECT $partition, night, fingerprint"
        " FROM (SELECT night, fingerprint, lag((night, fingerprint)) OVER () AS before"
        f" FROM (SELECT night, {_FINGERPRINT} AS fingerprint FROM {rows}))"
        " WHERE (night, fingerprint) IS DISTINCT FROM before",
        values,
    )
    connection.execute(
        f"INSERT OR REPLACE INTO {BOOK} VALUES ($partition, $written, $version)",
        {**values, "written": number, "version": version},
    )
