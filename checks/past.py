"""What a rule's figure was on earlier partitions, for the rules that compare a figure with its own history.

Figures of nights come from `monitoring.check_history`, the latest evaluation of each night that passed. Where there are
too few nights yet, the bulk history's own days stand in, if the table has a history.
"""

from collections.abc import Mapping, Sequence

import duckdb

from checks.compiler import aggregate_sql
from checks.contract import Contract
from checks.rules import Past, Rule

HISTORY = "monitoring.check_history"
DAYS_PER_PARTITION = 2
"""Days of the bulk history looked at for each partition that is missing: shops close, and quiet days do not count."""


def past_figures(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], *, before: str
) -> Mapping[str, tuple[Past, ...]]:
    """Earlier figures of every rule with a band, newest first, by rule id; at most the band's `partitions` each."""
    banded = [rule for rule in rules if rule.band is not None]
    if not banded:
        return {}
    found: dict[str, list[Past]] = {rule.id: [] for rule in banded}
    for rule_id, figure, rows in _recorded(connection, contract, [rule.id for rule in banded], before):
        found[rule_id].append(Past(float(figure), int(rows)))
    short = [rule for rule in banded if rule.band and _usable(rule, found[rule.id]) < rule.band.partitions]
    if short and contract.history and _exists(connection, contract.twin().address):
        for rule_id, past in _of_bulk(connection, contract, short, before).items():
            found[rule_id] += past
    return {
        rule.id: tuple(_kept(rule, found[rule.id]))[: rule.band.partitions] for rule in banded if rule.band is not None
    }


def _kept(rule: Rule, past: Sequence[Past]) -> list[Past]:
    return [each for each in past if rule.band is not None and each.rows >= rule.band.minimum_rows]


def _usable(rule: Rule, past: Sequence[Past]) -> int:
    return len(_kept(rule, past))


def _recorded(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[str], before: str
) -> list[tuple[str, float, int]]:
    if not _exists(connection, HISTORY):
        return []
    return connection.execute(
        f"SELECT rule, figure, rows FROM {HISTORY} WHERE asset = $asset AND list_contains($rules, rule)"
        " AND partition < $before AND figure IS NOT NULL"
        " QUALIFY row_number() OVER (PARTITION BY rule, partition ORDER BY evaluation DESC) = 1 AND status <> 'failed'"
        " ORDER BY rule, partition DESC",
        {"asset": contract.address, "rules": list(rules), "before": before},
    ).fetchall()


def _of_bulk(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], before: str
) -> dict[str, list[Past]]:
    """The figures of the bulk history's last days, newest first; rules that need the partition's key have none."""
    days = DAYS_PER_PARTITION * max(rule.band.partitions for rule in rules if rule.band is not None)
    usable = [rule for rule in rules if "$" not in rule.expression]
    if not usable:
        return {}
    column = contract.partitioned_by
    sql = aggregate_sql(
        contract.twin().address,
        usable,
        f"{column} < CAST($before AS DATE) AND {column} >= (SELECT max({column}) FROM {contract.twin().address}"
        f" WHERE {column} < CAST($before AS DATE)) - {days}",
    )
    rows = connection.execute(f"{sql}\nGROUP BY {column}\nORDER BY {column} DESC", {"before": before}).fetchall()
    return {
        rule.id: [Past(float(row[1 + index]), int(row[0])) for row in rows if row[1 + index] is not None]
        for index, rule in enumerate(usable)
    }


def _exists(connection: duckdb.DuckDBPyConnection, address: str) -> bool:
    schema, _, table = address.partition(".")
    return bool(
        connection.execute(
            "SELECT 1 FROM duckdb_tables() WHERE schema_name = $schema AND table_name = $table"
            " AND database_name = current_database()",
            {"schema": schema, "table": table},
        ).fetchall()
    )
