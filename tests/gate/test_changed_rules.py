"""Whether the rows or the rules are at fault, from what the gate has written down."""

from datetime import datetime
from decimal import Decimal

import duckdb
import pytest

from checks.changed_rules import are_changed
from checks.rules import Rule
from checks.verdicts import ensure_gate

ASSET, NIGHT = "orders.orders", "2026-10-29"
RULE = Rule("amount.maximum", "ranges", "amount above 10", "count(*) FILTER (amount > 10)")
TIGHTER = Rule("amount.maximum", "ranges", "amount above 1", "count(*) FILTER (amount > 1)")
FEWER = Rule("amount.maximum", "ranges", "amount above 10", RULE.expression, limit=Decimal(3))
NEW = Rule("amount.minimum", "ranges", "amount below 0", "count(*) FILTER (amount < 0)")


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    """A gate whose second write stands."""
    connection = duckdb.connect()
    ensure_gate(connection)
    connection.execute("INSERT INTO gate.materialisation VALUES (?, ?, 2, 'run', NULL)", [ASSET, NIGHT])
    return connection


def judged(connection: duckdb.DuckDBPyConnection, hour: int, status: str, *, write: int = 2) -> None:
    """The rule was judged at that hour, on the rows of that write."""
    connection.execute(
        "INSERT INTO monitoring.check_history SELECT $hour, $at, 'run', $asset, $night, 'ranges', $rule, 'ERROR',"
        " $status, 0, NULL, 0, '0', '0', 'amount', 9, $write, '1.0.0', $hash",
        {
            "hour": hour,
            "at": datetime(2026, 10, 30, hour),
            "asset": ASSET,
            "night": NIGHT,
            "rule": RULE.id,
            "status": status,
            "write": write,
            "hash": RULE.figure_hash,
        },
    )


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(RULE, False), (TIGHTER, True), (FEWER, True), (NEW, True)],
    ids=["same", "sql", "limit", "new"],
)
def test_rules_when_the_rows_passed_then_only_another_rule_is_the_cause(
    connection: duckdb.DuckDBPyConnection, rule: Rule, expected: bool
) -> None:
    judged(connection, 1, "passed")
    assert are_changed(connection, ASSET, NIGHT, [rule]) is expected
    assert not are_changed(connection, ASSET, NIGHT, [rule, RULE]), "one of them is as it was"


def test_rules_when_the_rows_never_passed_or_were_written_again_then_the_rows_are_at_fault(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    assert not are_changed(connection, ASSET, NIGHT, [TIGHTER])
    judged(connection, 1, "passed", write=1)
    judged(connection, 2, "failed")
    assert not are_changed(connection, ASSET, NIGHT, [TIGHTER])
    assert not are_changed(duckdb.connect(), ASSET, NIGHT, [TIGHTER])
