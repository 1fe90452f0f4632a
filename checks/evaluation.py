"""Evaluates a contract on one partition: one scan of the table, and its own earlier figures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.sql import columns_of, parameters_used
from checks.compiler import aggregate_sql, compile_rules
from checks.contract import Contract
from checks.first_seen import of_one_night
from checks.ordered import order_proofs
from checks.past import past_figures
from checks.rules import Rule, RuleResult, judge

_SAME_TYPE = {"INT8": "BIGINT", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "FLOAT8": "DOUBLE"}


class MissingTable(AthenaError):
    """A table that a check reads is not in the warehouse."""


@dataclass(frozen=True)
class TableResult:
    """All results of one table and partition."""

    contract: Contract
    rows: int
    results: tuple[RuleResult, ...]

    def check(self, name: str) -> tuple[RuleResult, ...]:
        """The results of one check; empty when the table's columns are not those of its contract."""
        return tuple(result for result in self.results if result.rule.check == name)


def check_table(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    *,
    partition: str | None = None,
    is_open: bool = True,
    minimum_rows: int = 0,
) -> TableResult:
    """Evaluate every rule of a contract on one partition.

    partition: the Dagster key of the partition, `YYYY-MM-DD`; None for a table without partitions.
    is_open: whether the retailer traded on the partition's day.
    Raises `MissingTable` where there is no such table.
    """
    schema = _check_schema(connection, contract)
    if not schema.passed:
        return TableResult(contract, 0, (schema,))
    rules = compile_rules(contract, minimum_rows=minimum_rows)
    where = "true" if partition is None else f"{contract.partitioned_by} = CAST($partition AS DATE)"
    rows, values = _values(connection, contract, rules, where, {"partition": partition, "is_open": is_open})
    past = past_figures(connection, contract, rules, before=partition) if partition is not None else {}
    found = (judge(rule, value, rows, past.get(rule.id, ())) for rule, value in zip(rules, values, strict=True))
    return TableResult(contract, rows, (schema, *found))


def _values(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    rules: Sequence[Rule],
    where: str,
    parameters: Mapping[str, object],
) -> tuple[int, list[object]]:
    """The rows of the partition, and every rule's value.

    One scan; a second one counts the rows that offend the rules of which the first could not prove that none does.
    """
    partition = parameters["partition"]
    is_night = partition is not None and contract.partitioned_by == "night"
    proofs = {rule.id: rule.proof for rule in rules if rule.proof is not None}
    proofs |= order_proofs(connection, contract, where, is_partition=partition is not None)

    def counting(rule: Rule) -> str:
        expression = rule.cheaper or rule.expression
        return of_one_night(expression) if is_night else expression

    def scanned(expressions: Sequence[str]) -> list[object]:
        # Two rules may hold one figure against different limits, and the optimiser does not see that it is one.
        different = list(dict.fromkeys(expressions))
        sql = aggregate_sql(contract.address, different, where)
        ((rows, *found),) = connection.execute(sql, parameters_used(sql, parameters)).fetchall()
        values = dict(zip(different, found, strict=True))
        return [rows, *(values[expression] for expression in expressions)]

    rows, *values = scanned([proofs.get(rule.id) or counting(rule) for rule in rules])
    # A column without values proves nothing, and is counted.
    doubtful = [number for number, rule in enumerate(rules) if rule.id in proofs and values[number] is not True]
    values = [0 if rule.id in proofs else value for rule, value in zip(rules, values, strict=True)]
    if doubtful:
        _, *counted = scanned([counting(rules[number]) for number in doubtful])
        for number, value in zip(doubtful, counted, strict=True):
            values[number] = value
    return int(str(rows)), values


def offending_rows(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    rule: Rule,
    *,
    partition: str | None,
    most: int = 5,
) -> tuple[Sequence[str], list[tuple[object, ...]]]:
    """Column names and up to `most` rows that offend a rule, in key order; none where no single row offends."""
    if rule.id == "key.unique":
        key = ", ".join(f'"{name}"' for name in contract.keys)
        offends = f"QUALIFY count(*) OVER (PARTITION BY {key}) > 1"
    elif rule.condition is not None:
        offends = f"AND ({rule.condition})"
    else:
        return (), []
    where = "true" if partition is None else f"{contract.partitioned_by} = CAST($partition AS DATE)"
    order = ", ".join(f'"{name}"' for name in contract.keys) or "1"
    sql = f"SELECT * FROM {contract.address} WHERE {where} {offends} ORDER BY {order} LIMIT {most}"
    result = connection.execute(sql, parameters_used(sql, {"partition": partition}))
    names = [column[0] for column in result.description or []]
    return names, result.fetchall()


def _check_schema(connection: duckdb.DuckDBPyConnection, contract: Contract) -> RuleResult:
    actual = columns_of(connection, contract.address)
    if not actual:
        raise MissingTable(
            f"table {contract.address} is not in the warehouse",
            expected="the table of its contract",
            found="no such table",
            next_command=f"materialise {contract.address} first",
        )
    expected = {column.name: _SAME_TYPE.get(column.type, column.type) for column in contract.columns}
    faults = [
        *(f"{name} is missing" for name in expected if name not in actual),
        *(f"{name} is not in the contract" for name in actual if name not in expected),
        *(
            f"{name} is {actual[name]}, expected {expected[name]}"
            for name in expected
            if name in actual and actual[name] != expected[name]
        ),
    ]
    description = "; ".join(faults) if faults else "columns and types are those of the contract"
    rule = Rule("schema.columns", "schema", description, "")
    return RuleResult(rule, float(len(faults)), len(expected), None, 0.0, "failed" if faults else "passed")
