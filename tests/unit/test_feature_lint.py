"""The SQL lint fails on each kind of violation, and on nothing that Athena ships."""

import re
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from athena_assets.features.lint import lint_directory
from athena_assets.features.lint_text import lint_text
from checks.contract_files import load_contract

SOURCES = ("orders", "service_contacts", "campaign_contacts", "customers")


@pytest.fixture
def empty() -> Iterator[duckdb.DuckDBPyConnection]:
    """The canonical tables as their contracts declare them, without rows."""
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA orders")
        for table in SOURCES:
            connection.execute(load_contract(f"orders.{table}").ddl())
            connection.execute(f"CREATE VIEW orders.all_{table} AS SELECT * FROM orders.{table}")
        connection.execute("CREATE TABLE scores (customer_id VARCHAR, p DOUBLE, f FLOAT, n BIGINT, m DECIMAL(18, 4))")
        yield connection


@pytest.mark.parametrize(
    ("sql", "rule", "line"),
    [
        ("SELECT 1,\n date_diff('day', a, b)", "date difference", 2),
        ("SELECT datediff('day', a, b)", "date difference", 1),
        ("SELECT *\nFROM a\nASOF JOIN b USING (k, ts)", "asof join", 3),
        ("SELECT approx_count_distinct(k)", "approximation", 1),
        ("SELECT approx_quantile(k, 0.5)", "approximation", 1),
        ("SELECT now()", "clock", 1),
        ("SELECT a\nWHERE d < current_date", "clock", 2),
        ("SELECT a WHERE d < CURRENT_TIMESTAMP", "clock", 1),
        ("SELECT random()", "chance", 1),
        ("SELECT * FROM t USING SAMPLE 10", "chance", 1),
        ("SELECT list(a)", "unordered aggregate", 1),
        ("SELECT string_agg(a, ', ') FILTER (WHERE b > 1 ORDER BY 1)", "unordered aggregate", 1),
        ("SELECT first(a)", "unordered aggregate", 1),
        ("SELECT any_value(a)", "unordered aggregate", 1),
    ],
)
def test_the_lint_by_text_when_a_rule_is_violated_names_rule_line_and_remedy(sql: str, rule: str, line: int) -> None:
    (finding,) = lint_text(sql, "a.sql")
    assert (finding.rule, finding.line) == (rule, line)
    assert re.match(rf"a.sql:{line}: {rule}: .+; write .+", str(finding))


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT list(a ORDER BY b), string_agg(a, ',' ORDER BY a)",
        "SELECT list(a) OVER (PARTITION BY k ORDER BY b)",
        "-- now() in a comment\nSELECT 'random()', /* date_diff( */ a::DATE - b::DATE",
        "SELECT a FROM t ORDER BY a NULLS LAST",
        "SELECT nowhere, randomised FROM list",
    ],
)
def test_the_lint_by_text_when_sql_is_deterministic_finds_nothing(sql: str) -> None:
    assert lint_text(sql, "a.sql") == []


@pytest.mark.parametrize(
    ("sql", "line"),
    [
        ("SELECT customer_id,\n    sum(p)\nFROM scores GROUP BY customer_id", 2),
        ("SELECT sum(f) FROM scores", 1),
        ("SELECT avg(CAST(m AS DOUBLE)) FROM scores", 1),
        ("SELECT stddev_samp(m) FROM scores", 1),
        ("SELECT count(*),\n sum(m),\n sum(n * 0.5::DOUBLE)\nFROM scores", 3),
        ("SELECT sum(p) OVER (ORDER BY customer_id) FROM scores", 1),
        ("WITH s AS (SELECT m / n AS rate FROM scores)\nSELECT max(rate),\n avg(rate) FROM s", 3),
        ("SELECT 1;\nCREATE TABLE t AS SELECT sum(p) AS p FROM scores WHERE p < $limit AND $as_of > $cutoff", 2),
    ],
)
def test_the_lint_by_type_when_floats_are_added_up_names_the_line(
    sql: str, line: int, tmp_path: Path, empty: duckdb.DuckDBPyConnection
) -> None:
    (tmp_path / "a.sql").write_text(sql)
    (finding,) = lint_directory(tmp_path, empty)
    assert (finding.rule, finding.line, finding.file) == ("float aggregate", line, "a.sql")


def test_the_lint_by_type_when_aggregates_are_exact_finds_nothing(
    tmp_path: Path, empty: duckdb.DuckDBPyConnection
) -> None:
    (tmp_path / "a.sql").write_text(
        "SELECT sum(m), sum(n), count(p), max(p), min(f), arg_max(p, n), sum(m * m), avg(n), median(p) FROM scores"
    )
    assert lint_directory(tmp_path, empty) == []


def test_the_lint_when_a_text_does_not_bind_says_why(tmp_path: Path, empty: duckdb.DuckDBPyConnection) -> None:
    (tmp_path / "a.sql").write_text("SELECT no_such_column FROM scores")
    (finding,) = lint_directory(tmp_path, empty)
    assert finding.rule == "does not bind"
    assert "no_such_column" in finding.found


def test_the_lint_of_a_definition_when_it_averages_a_float_names_its_line(
    repository: Path, tmp_path: Path, empty: duckdb.DuckDBPyConnection
) -> None:
    definition = repository / "athena_assets" / "features" / "definitions" / "avg_order_value_90d.sql"
    header = definition.read_text().split("--- */\n")[0]
    (tmp_path / definition.name).write_text(
        f"{header}--- */\n1 +\navg(CAST(total_order_amount AS DOUBLE)) FILTER (WHERE is_purchase)\n"
    )
    (finding,) = lint_directory(tmp_path, empty)
    assert finding.rule == "float aggregate"
    assert finding.line == header.count("\n") + 3


def test_the_lint_of_the_features_that_athena_ships_finds_nothing(
    repository: Path, empty: duckdb.DuckDBPyConnection
) -> None:
    assert lint_directory(repository / "athena_assets" / "features", empty) == []
