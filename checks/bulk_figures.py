"""Figures of the bulk history's own days, which stand in for nights that have not been: computed once and kept.

The last days of a history are the same for every night after it, and scanning them anew cost a night of two million
customers six seconds. What is kept counts as long as the history has not been written again and the rule's SQL is the
same; a rule that looks into other tables is computed anew, because they may have changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from athena_assets.sql import has_table
from checks.compiler import aggregate_sql
from checks.contract import Contract
from checks.rules import Rule
from checks.verdicts import has_gate, standing_writes

KEPT = "monitoring.bulk_figures"

_DDL = f"""
CREATE SCHEMA IF NOT EXISTS monitoring;
CREATE TABLE IF NOT EXISTS {KEPT} (
  asset VARCHAR, written BIGINT, first_day DATE, last_day DATE,
  figure_hash VARCHAR, day DATE, rows BIGINT, figure DOUBLE
);
"""


@dataclass(frozen=True)
class BulkFigure:
    """What one rule's SQL gives on one day of a table's bulk history."""

    rule: str
    day: date
    figure: float
    rows: int


def last_figures(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], *, until: date, days: int
) -> Iterator[BulkFigure]:
    """Of the last so many days that the history has up to `until`; kept where the connection may write."""
    if not rules:
        return
    table, column = contract.twin().address, contract.partitioned_by
    ((last,),) = connection.execute(
        f"SELECT max({column}) FROM {table} WHERE {column} <= $until", {"until": until}
    ).fetchall()
    if last is None:
        return
    first = last - timedelta(days=days)
    written = _last_write(connection, table)
    own = [rule for rule in rules if written and "SELECT" not in rule.expression.upper()]
    found = list(_kept(connection, table, own, written, first, last))
    known = {rule for rule, _ in found}
    missing = [rule for rule in rules if rule.id not in known]
    computed = list(figures_between(connection, contract, missing, first, last))
    new = [rule for rule in own if rule.id not in known]
    if new and _may_write(connection):
        _keep(connection, table, new, computed, written, first, last)
    yield from (figure for _, figure in found if figure is not None)
    yield from computed


def figures_between(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], first: date, last: date
) -> Iterator[BulkFigure]:
    """Of these days of the history; they have rows and so count as days on which the retailer traded."""
    if not rules:
        return
    column = contract.partitioned_by or ""
    where = f"{column} BETWEEN $first AND $last"
    sql = aggregate_sql(contract.twin().address, [rule.expression for rule in rules], where, also=(column,))
    parameters: dict[str, object] = {"first": first, "last": last}
    if "$is_open" in sql:
        parameters["is_open"] = True
    for day, rows, *figures in connection.execute(f"{sql}\nGROUP BY {column}", parameters).fetchall():
        for rule, figure in zip(rules, figures, strict=True):
            if figure is not None:
                yield BulkFigure(rule.id, day, float(figure), int(rows))


def _kept(
    connection: duckdb.DuckDBPyConnection, table: str, rules: Sequence[Rule], written: int, first: date, last: date
) -> Iterator[tuple[str, BulkFigure | None]]:
    """Rule and figure of what is kept; None for a rule that has no figure on any day."""
    if not has_table(connection, KEPT):
        return
    kept = connection.execute(
        f"SELECT figure_hash, day, rows, figure FROM {KEPT} WHERE asset = $asset AND written = $written"
        " AND first_day = $first AND last_day = $last",
        {"asset": table, "written": written, "first": first, "last": last},
    ).fetchall()
    by_hash: dict[str, list[tuple[date | None, int, float]]] = {}
    for figure_hash, day, rows, figure in kept:
        by_hash.setdefault(figure_hash, []).append((day, rows, figure))
    for rule in rules:
        for day, rows, figure in by_hash.get(rule.figure_hash, ()):
            yield rule.id, None if day is None else BulkFigure(rule.id, day, figure, rows)


def _keep(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rules: Sequence[Rule],
    computed: Sequence[BulkFigure],
    written: int,
    first: date,
    last: date,
) -> None:
    connection.execute(_DDL)
    connection.execute(
        f"DELETE FROM {KEPT} WHERE asset = $asset AND written <> $written", {"asset": table, "written": written}
    )
    hashes = {rule.id: rule.figure_hash for rule in rules}
    # Two rules with the same SQL have the same figures, and both would be found by the hash.
    rows: dict[tuple[str, date | None], tuple[int | None, float | None]] = {
        (hashes[each.rule], each.day): (each.rows, each.figure) for each in computed if each.rule in hashes
    }
    told = {figure_hash for figure_hash, _ in rows}
    rows |= {(figure_hash, None): (None, None) for figure_hash in hashes.values() if figure_hash not in told}
    connection.executemany(
        f"INSERT INTO {KEPT} VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [[table, written, first, last, *key, *figure] for key, figure in rows.items()],
    )


def _last_write(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    """The number of the write of the history that stands; 0 where nobody stamped it."""
    if not has_gate(connection):
        return 0
    return max((number for _, number in standing_writes(connection).of.get(table, ())), default=0)


def _may_write(connection: duckdb.DuckDBPyConnection) -> bool:
    ((readonly,),) = connection.execute(
        "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()
    return not readonly
