"""One contract per table: what the files say, and what the compiler makes of it."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from athena_assets.lifecycle.model_spec import find_model
from athena_assets.predictions.prediction_contract import (
    CANDIDATE_TEMPLATE,
    PUBLISHED_TEMPLATE,
    candidate_contract,
    published_contract,
)
from checks.compiler import checks_of, compile_rules
from checks.contract import Column, Contract, SqlRule
from checks.contract_files import InvalidContract, UnknownContract, contract_names, load_contract, parse_contract
from checks.evaluation import MissingTable, TableResult, check_table
from checks.rules import GROUPS

CONTRACT = Contract(
    schema="shop",
    table="sale",
    version="1.0.0",
    description="Sales.",
    grain="one sale",
    owner="sales",
    consumers=(),
    columns=(
        Column("night", "DATE", "Night.", required=True),
        Column("id", "VARCHAR", "Id.", required=True, key=True),
        Column("price", "DECIMAL(18,4)", "Price.", required=True, minimum=Decimal(0), maximum=Decimal(100)),
        Column("kind", "VARCHAR", "Kind.", accepted=("a", "b")),
        Column("buyer", "VARCHAR", "Buyer.", references="shop.buyer.id", null_limit=Decimal("0.5")),
        Column("score", "DOUBLE", "Score."),
    ),
    rules=(
        SqlRule("cheap_a", "An a above 10.", "count(*) FILTER (WHERE kind = 'a' AND price > 10)", "accuracy"),
        SqlRule(
            "night_is_known", "A night to come.", "count(*) FILTER (WHERE night > DATE '2026-06-01')", "timeliness"
        ),
    ),
)

GOOD = [
    ("2026-01-01", "1", 5, "a", "x", 0.5),
    ("2026-01-01", "2", 50, "b", None, 0.1),
    ("2026-01-02", "3", 7, "a", "x", None),
]


def evaluate(rows: list[tuple[object, ...]], *, partition: str | None = None, minimum_rows: int = 0) -> TableResult:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        # A null among what is referred to excuses no stranger.
        connection.execute("CREATE TABLE shop.buyer AS SELECT unnest(['x', NULL]) AS id")
        connection.execute(CONTRACT.ddl())
        if rows:
            connection.executemany("INSERT INTO shop.sale VALUES (?, ?, ?, ?, ?, ?)", rows)
        return check_table(connection, CONTRACT, partition=partition, minimum_rows=minimum_rows)


def faults(result: TableResult) -> set[str]:
    return {item.rule.id for item in result.results if not item.passed}


def test_every_shipped_contract_parses_and_has_a_key_and_an_owner() -> None:
    assert len(contract_names()) >= 20
    for name in contract_names():
        contract = load_contract(name)
        assert contract.address == name
        assert contract.keys, name
        assert contract.owner, name


def test_check_table_when_rows_are_good_then_every_rule_holds() -> None:
    result = evaluate(GOOD)
    assert faults(result) == set()
    assert result.rows == 3
    assert [check.name for check in checks_of(CONTRACT)] == [group for group in GROUPS if group != "distribution"]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (("2026-01-01", None, 5, "a", "x", 0.5), "id.required"),
        (("2026-01-01", "1", 5, "a", "x", 0.5), "key.unique"),
        (("2026-01-01", "9", -1, "a", "x", 0.5), "price.minimum"),
        (("2026-01-01", "9", 101, "b", "x", 0.5), "price.maximum"),
        (("2026-01-01", "9", 5, "z", "x", 0.5), "kind.accepted"),
        (("2026-01-01", "9", 5, "a", "nobody", 0.5), "buyer.references"),
        (("2026-01-01", "9", 11, "a", "x", 0.5), "cheap_a"),
        (("2026-06-02", "9", 5, "a", "x", 0.5), "night_is_known"),
        (("2026-01-01", "9", 5, "a", "x", float("nan")), "score.finite"),
        (("2026-01-01", "9", 5, "a", "x", float("inf")), "score.finite"),
    ],
)
def test_check_table_when_one_row_is_bad_then_exactly_its_rule_fails(row: tuple[object, ...], rule: str) -> None:
    assert faults(evaluate([*GOOD, row])) == {rule}


def test_check_table_when_nulls_exceed_their_limit_then_the_figure_is_the_share() -> None:
    result = evaluate([("2026-01-01", str(n), 5, "a", None if n < 6 else "x", 0.5) for n in range(10)])
    (fault,) = [item for item in result.results if not item.passed]
    assert fault.rule.id == "buyer.null_limit"
    assert fault.figure == 0.6
    assert "60.0000%" in fault.sentence()


def test_check_table_when_a_rule_cannot_count_then_it_fails() -> None:
    rule = SqlRule("sum_of_nothing", "Nothing.", "sum(price) FILTER (WHERE price > 1000)", "accuracy")
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.buyer AS SELECT 'x' AS id")
        connection.execute(CONTRACT.ddl())
        connection.executemany("INSERT INTO shop.sale VALUES (?, ?, ?, ?, ?, ?)", GOOD)
        result = check_table(connection, replace(CONTRACT, rules=(rule,)))
    assert faults(result) == {"sum_of_nothing"}


def test_check_table_when_two_rules_hold_one_figure_against_different_limits_then_each_judges_by_its_own() -> None:
    dear = SqlRule("dear", "Dear.", "count(*) FILTER (WHERE price > 6)", "accuracy")
    rules = (dear, replace(dear, id="very_many_dear", limit=Decimal(2)))
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute("CREATE TABLE shop.buyer AS SELECT 'x' AS id")
        connection.execute(CONTRACT.ddl())
        connection.executemany("INSERT INTO shop.sale VALUES (?, ?, ?, ?, ?, ?)", GOOD)
        result = check_table(connection, replace(CONTRACT, rules=rules))
    assert {item.rule.id: item.figure for item in result.results if "dear" in item.rule.id} == {
        "dear": 2.0,
        "very_many_dear": 2.0,
    }
    assert faults(result) == {"dear"}


def test_check_table_when_another_partition_is_bad_then_this_one_passes() -> None:
    rows = [*GOOD, ("2026-01-02", "9", -1, "a", "x", 0.5)]
    assert faults(evaluate(rows, partition="2026-01-01")) == set()
    assert faults(evaluate(rows, partition="2026-01-02")) == {"price.minimum"}


def test_check_table_when_the_partition_is_empty_then_the_minimum_says_so() -> None:
    assert faults(evaluate([], minimum_rows=1)) == {"rows.minimum"}
    assert faults(evaluate([])) == set()


def test_check_table_when_a_column_was_renamed_then_only_the_schema_speaks() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        connection.execute(CONTRACT.ddl())
        connection.execute("ALTER TABLE shop.sale RENAME COLUMN price TO sale_price")
        result = check_table(connection, CONTRACT)
    (schema,) = result.results
    assert not schema.passed
    assert "price is missing" in schema.sentence()
    assert "sale_price is not in the contract" in schema.sentence()


def test_check_table_when_the_table_is_absent_then_it_is_named() -> None:
    with duckdb.connect() as connection, pytest.raises(MissingTable, match=r"shop\.sale"):
        check_table(connection, CONTRACT)


def test_compile_rules_when_every_contract_is_compiled_then_duckdb_accepts_the_text() -> None:
    templates = {CANDIDATE_TEMPLATE: candidate_contract, PUBLISHED_TEMPLATE: published_contract}
    churn = find_model("churn")
    contracts = [templates[name](churn) if name in templates else load_contract(name) for name in contract_names()]
    with duckdb.connect() as connection:
        for contract in contracts:
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {contract.schema}")
            connection.execute(contract.ddl())
        for contract in contracts:
            if contract.schema == "orders":
                connection.execute(f"CREATE VIEW orders.all_{contract.table} AS FROM {contract.address}")
        for contract in contracts:
            rule_ids = [rule.id for rule in compile_rules(contract)]
            assert len(rule_ids) == len(set(rule_ids)), contract.address
            partition = "2026-01-01" if contract.partitioned_by else None
            result = check_table(connection, contract, partition=partition, is_open=False)
            assert faults(result) == set(), contract.address


def test_hash_when_a_rule_changes_then_it_changes() -> None:
    looser = Contract(**{**CONTRACT.__dict__, "columns": CONTRACT.columns[:-1]})
    assert looser.hash != CONTRACT.hash
    assert CONTRACT.twin().address == "shop.sale_history"


@pytest.mark.parametrize(
    ("replace", "by", "expected"),
    [
        ("physicalName: orders.products", "physicalName: orders.product", "names another table"),
        ("kind: DataContract", "kind: DataContract\nkeind: x", "not an ODCS contract"),
        ("physicalType: DATE", "examples: []", "night.physicalType"),
        ("physicalType: DATE", "logicalType: date", "key logicalType stands twice"),
        ("physicalType: DATE", "physicalType: {{ kind }}", "not an ODCS contract"),
        ("version: 2.0.0", "version: ''", "version"),
    ],
)
def test_parse_contract_when_the_file_is_wrong_then_the_key_is_named(
    tmp_path: Path, repository: Path, replace: str, by: str, expected: str
) -> None:
    text = (repository / "checks/contracts/orders.products.odcs.yaml").read_text()
    path = tmp_path / "orders.products.odcs.yaml"
    path.write_text(text.replace(replace, by, 1))
    with pytest.raises(InvalidContract, match=expected):
        parse_contract(path)


def test_load_contract_when_unknown_then_it_lists_the_known() -> None:
    with pytest.raises(UnknownContract, match=r"orders\.orders"):
        load_contract("orders.nothing")
