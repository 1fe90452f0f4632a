"""Whether rows that once passed a check are refused by it now because its rules have changed, and not the rows."""

from collections.abc import Collection

import duckdb

from checks.rules import Rule
from checks.verdicts import has_figure_hashes, has_gate

Former = dict[str, tuple[float | None, str | None]]
"""By rule, the highest figure that was allowed, and the hash of the SQL that made the figure."""


def are_changed(connection: duckdb.DuckDBPyConnection, asset: str, partition: str, failed: Collection[Rule]) -> bool:
    """Whether each of the failed rules is another one than when the rows that stand passed its check.

    Rows that were written again since, or that never passed, are held to be at fault themselves. So are those outside a
    band whose figure is computed as before: what it allows follows earlier nights.
    """
    if not failed or not (has_gate(connection) and has_figure_hashes(connection)):
        return False
    former = {check: _last_passed(connection, asset, partition, check) for check in {rule.check for rule in failed}}
    return all(_is_another(rule, former[rule.check]) for rule in failed)


def _is_another(rule: Rule, former: Former) -> bool:
    if not former:
        return False
    if rule.id not in former:
        return True
    high, figure_hash = former[rule.id]
    if figure_hash is not None and figure_hash != rule.figure_hash:
        return True
    return rule.band is None and high is not None and high != float(rule.limit)


def _last_passed(connection: duckdb.DuckDBPyConnection, asset: str, partition: str, check: str) -> Former:
    """The rules of the last time that a check passed on the rows that stand; none where it never did."""
    rows = connection.execute(
        "WITH judged AS (SELECT history.* FROM monitoring.check_history AS history JOIN gate.materialisation AS made"
        " ON made.asset = history.asset AND made.partition = history.partition AND made.id = history.materialisation"
        " WHERE history.asset = $asset AND history.partition = $partition AND history.check_name = $check),"
        " passed AS (SELECT recorded_at, run_id FROM judged GROUP BY ALL HAVING count(*) FILTER (status = 'failed') = 0"
        " ORDER BY recorded_at DESC, run_id LIMIT 1)"
        " SELECT rule, limit_high, figure_hash FROM judged JOIN passed USING (recorded_at, run_id)",
        {"asset": asset, "partition": partition, "check": check},
    ).fetchall()
    return {str(rule): (high, figure_hash) for rule, high, figure_hash in rows}
