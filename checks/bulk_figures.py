"""Figures of the bulk history's own days, which stand in for nights that have not been: computed once and kept.

The days of a history are the same for every night after it, and scanning them anew cost a night of two million
customers seven seconds. What is kept counts as long as nothing that it rests on has been written again and the rule's
SQL is the same. A rule may ask a register what was new on a day, which no later night changes; one that looks into
other tables in any other way is computed anew, because they may have changed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb

from athena_assets.lineage import tables_of
from athena_assets.sql import has_table
from checks.compiler import aggregate_sql
from checks.contract import Contract
from checks.first_seen import registers_of
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
"""written: the last of the writes that the figure rests on. first_day, last_day: the days that were computed with it,
of which those without a line have no figure; where none has, one line says so without a day."""


@dataclass(frozen=True)
class BulkFigure:
    """What one rule's SQL gives on one day of a table's bulk history."""

    rule: str
    day: date
    figure: float
    rows: int


@dataclass(frozen=True)
class _Kept:
    """What is kept of one rule's SQL: the days that need not be computed, and the figures that they have."""

    days: set[date]
    figures: dict[date, tuple[float, int]]


def last_figures(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], *, until: date, days: int
) -> Iterator[BulkFigure]:
    """Of the last so many days that the history has up to `until`."""
    if not rules:
        return
    table, column = contract.twin().address, contract.partitioned_by
    ((last,),) = connection.execute(
        f"SELECT max({column}) FROM {table} WHERE {column} <= $until", {"until": until}
    ).fetchall()
    if last is not None:
        yield from figures_between(connection, contract, rules, last - timedelta(days=days), last)


def figures_between(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], first: date, last: date
) -> Iterator[BulkFigure]:
    """Of these days of the history; what had to be computed is kept where the connection may write."""
    if not rules:
        return
    written = _writes_behind(connection, contract, rules, last)
    kept = _kept(connection, contract.twin().address, rules, written, first, last)
    missing: dict[tuple[date, date], list[Rule]] = {}
    for rule in rules:
        known = kept.get(rule.id, _Kept(set(), {}))
        yield from (BulkFigure(rule.id, day, *figure) for day, figure in known.figures.items() if first <= day <= last)
        unknown = [day for day in _days(first, last) if day not in known.days]
        if unknown:
            missing.setdefault((unknown[0], unknown[-1]), []).append(rule)
    for (since, until), asked in missing.items():
        computed = list(_computed(connection, contract, asked, since, until))
        keeping = [rule for rule in asked if rule.id in written]
        if keeping and _may_write(connection):
            _keep(connection, contract.twin().address, keeping, computed, written, since, until)
        yield from (each for each in computed if each.rule not in kept or each.day not in kept[each.rule].days)


def _days(first: date, last: date) -> list[date]:
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def _computed(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], first: date, last: date
) -> Iterator[BulkFigure]:
    """Of these days of the history; they have rows and so count as days on which the retailer traded."""
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
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rules: Sequence[Rule],
    written: Mapping[str, int],
    first: date,
    last: date,
) -> dict[str, _Kept]:
    """What is kept of stretches that touch these days, by rule."""
    if not written or not has_table(connection, KEPT):
        return {}
    lines = connection.execute(
        f"SELECT figure_hash, written, first_day, last_day, day, rows, figure FROM {KEPT} WHERE asset = $asset"
        " AND last_day >= $first AND first_day <= $last",
        {"asset": table, "first": first, "last": last},
    ).fetchall()
    found: dict[tuple[str, int], _Kept] = {}
    for figure_hash, number, since, until in {line[:4] for line in lines}:
        found.setdefault((figure_hash, number), _Kept(set(), {})).days.update(_days(since, until))
    for figure_hash, number, _, _, day, rows, figure in lines:
        if day is not None:
            found[figure_hash, number].figures[day] = (figure, rows)
    of_rules = {rule.id: found.get((rule.figure_hash, written[rule.id])) for rule in rules if rule.id in written}
    return {rule: kept for rule, kept in of_rules.items() if kept is not None}


def _keep(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    rules: Sequence[Rule],
    computed: Sequence[BulkFigure],
    written: Mapping[str, int],
    first: date,
    last: date,
) -> None:
    connection.execute(_DDL)
    # Two rules with the same SQL have the same figures, and both would be found by the hash.
    numbers = {rule.figure_hash: written[rule.id] for rule in rules}
    hashes = {rule.id: rule.figure_hash for rule in rules}
    lines: dict[tuple[str, date | None], tuple[int | None, float | None]] = {
        (hashes[each.rule], each.day): (each.rows, each.figure) for each in computed if each.rule in hashes
    }
    told = {figure_hash for figure_hash, _ in lines}
    lines |= {(figure_hash, None): (None, None) for figure_hash in numbers if figure_hash not in told}
    connection.execute(
        f"DELETE FROM {KEPT} USING (SELECT unnest($hashes) AS hash, unnest($numbers) AS number) AS new"
        " WHERE asset = $asset AND figure_hash = hash AND written <> number",
        {"asset": table, "hashes": list(numbers), "numbers": list(numbers.values())},
    )
    connection.execute(
        f"INSERT INTO {KEPT} SELECT $asset, unnest($numbers), $first, $last, unnest($hashes), unnest($days),"
        " unnest($rows), unnest($figures)",
        {
            "asset": table,
            "first": first,
            "last": last,
            "hashes": [figure_hash for figure_hash, _ in lines],
            "days": [day for _, day in lines],
            "numbers": [numbers[figure_hash] for figure_hash, _ in lines],
            "rows": [rows for rows, _ in lines.values()],
            "figures": [figure for _, figure in lines.values()],
        },
    )


def _writes_behind(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], last: date
) -> dict[str, int]:
    """By rule, the last write of what its figures up to a day rest on; rules whose figures cannot be kept are left out.

    They rest on the history, and on what the registers that they ask had up to that day.
    """
    if not has_gate(connection):
        return {}
    writes = standing_writes(connection).of
    found = {}
    for rule in rules:
        registers = registers_of(rule.expression)
        if registers is None:
            continue
        tables = [contract.twin().address, *(table for register in registers for table in tables_of(register))]
        if all(table in writes for table in tables):
            found[rule.id] = max(
                number for table in tables for partition, number in writes[table] if partition <= last.isoformat()
            )
    return found


def _may_write(connection: duckdb.DuckDBPyConnection) -> bool:
    ((readonly,),) = connection.execute(
        "SELECT readonly FROM duckdb_databases() WHERE database_name = current_database()"
    ).fetchall()
    return not readonly
