"""Compiles a contract into rules, and the rules of a table into one aggregate SQL pass.

A rule is an aggregate that counts offending rows; it passes at or below its limit. Rules are grouped into a few
checks per table (`GROUPS`), because a check result costs tens of milliseconds in the orchestrator while a
further aggregate costs nothing (docs/decisions/0005-few-checks-many-rules.md).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from athena_assets.errors import AthenaError
from checks.contract import Column, Contract

GROUPS = ("schema", "completeness", "keys", "ranges", "references", "freshness", "consistency")
"""Names of the checks of a table, in the order in which a reader wants them."""

_GROUP_OF_DIMENSION = {
    "accuracy": "consistency",
    "conformity": "consistency",
    "consistency": "consistency",
    "timeliness": "freshness",
    "coverage": "completeness",
    "completeness": "completeness",
    "uniqueness": "keys",
}

_SAME_TYPE = {"INT8": "BIGINT", "STRING": "VARCHAR", "BOOL": "BOOLEAN", "FLOAT8": "DOUBLE"}


class MissingTable(AthenaError):
    """A table that a check reads is not in the warehouse."""


@dataclass(frozen=True)
class Rule:
    """One statement of a contract as SQL."""

    id: str
    group: str
    description: str
    expression: str
    """Aggregate over the rows of the partition; the number of offending rows."""
    limit: Decimal = Decimal(0)
    """Largest number of offending rows allowed, or the largest share of rows when `relative`."""
    relative: bool = False


@dataclass(frozen=True)
class RuleResult:
    """What a rule found."""

    rule: Rule
    offending: int
    rows: int

    @property
    def figure(self) -> Decimal:
        """Offending rows, or their share for a relative rule (0 for an empty table)."""
        if not self.rule.relative:
            return Decimal(self.offending)
        return Decimal(self.offending) / Decimal(self.rows) if self.rows else Decimal(0)

    @property
    def passed(self) -> bool:
        """Whether the figure is within its limit."""
        return self.figure <= self.rule.limit

    @property
    def found(self) -> str:
        """The figure as a person reads it."""
        return f"{self.figure:.4%}" if self.rule.relative else f"{self.offending:,} rows"

    @property
    def allowed(self) -> str:
        """The limit as a person reads it."""
        return f"{self.rule.limit:.2%}" if self.rule.relative else f"{self.rule.limit}"

    def sentence(self) -> str:
        """One line for the error message and the metadata."""
        return f"{self.rule.id}: {self.rule.description} ({self.found}, limit {self.allowed})"


@dataclass(frozen=True)
class TableResult:
    """All results of one table and partition."""

    contract: Contract
    rows: int
    results: tuple[RuleResult, ...]

    def group(self, name: str) -> tuple[RuleResult, ...]:
        """The results of one check."""
        return tuple(result for result in self.results if result.rule.group == name)


class ContractBroken(AthenaError):
    """Rows that break their contract were about to be passed on."""


def refuse_faults(result: TableResult) -> None:
    """Raise `ContractBroken` naming every rule that failed."""
    faults = [each.sentence() for each in result.results if not each.passed]
    if faults:
        raise ContractBroken(
            f"{result.contract.address} breaks its contract and is not passed on",
            expected=f"every rule of contract version {result.contract.version} to hold",
            found="; ".join(faults),
            next_command="mend the cause, then run the same night again",
        )


def groups_of(contract: Contract, *, minimum_rows: int = 0) -> tuple[str, ...]:
    """The checks that a contract gives rise to; `schema` always."""
    present = {rule.group for rule in compile_rules(contract, minimum_rows=minimum_rows)} | {"schema"}
    return tuple(group for group in GROUPS if group in present)


def compile_rules(contract: Contract, *, minimum_rows: int = 0) -> tuple[Rule, ...]:
    """All rules of a contract but `schema`, which compares names and types and is not an aggregate."""
    rules: list[Rule] = []
    if minimum_rows:
        rules.append(
            Rule(
                "rows.minimum",
                "completeness",
                f"fewer than {minimum_rows} rows",
                f"CASE WHEN count(*) < {minimum_rows} THEN 1 ELSE 0 END",
            )
        )
    for column in contract.columns:
        rules.extend(_column_rules(column))
    if contract.keys:
        key = ", ".join(f'"{name}"' for name in contract.keys)
        rules.append(
            Rule(
                "key.unique",
                "keys",
                f"rows that repeat the key ({', '.join(contract.keys)})",
                f"count(*) - count(DISTINCT row({key}))",
            )
        )
    rules.extend(
        Rule(rule.id, _GROUP_OF_DIMENSION[rule.group], rule.description, rule.expression) for rule in contract.rules
    )
    return tuple(rules)


def _column_rules(column: Column) -> list[Rule]:
    name = f'"{column.name}"'
    rules = []
    if column.required:
        rules.append(
            Rule(f"{column.name}.required", "completeness", f"{column.name} is null", _count(f"{name} IS NULL"))
        )
    elif column.null_limit is not None:
        rules.append(
            Rule(
                f"{column.name}.null_limit",
                "completeness",
                f"{column.name} is null",
                _count(f"{name} IS NULL"),
                limit=column.null_limit,
                relative=True,
            )
        )
    if column.minimum is not None:
        rules.append(
            Rule(
                f"{column.name}.minimum",
                "ranges",
                f"{column.name} is below {column.minimum}",
                _count(f"{name} < {_literal(column, column.minimum)}"),
            )
        )
    if column.maximum is not None:
        rules.append(
            Rule(
                f"{column.name}.maximum",
                "ranges",
                f"{column.name} is above {column.maximum}",
                _count(f"{name} > {_literal(column, column.maximum)}"),
            )
        )
    if column.type == "DOUBLE":
        rules.append(
            Rule(
                f"{column.name}.finite",
                "ranges",
                f"{column.name} is not finite",
                _count(f"NOT isfinite({name})"),
            )
        )
    if column.accepted:
        values = ", ".join("'" + value.replace("'", "''") + "'" for value in column.accepted)
        rules.append(
            Rule(
                f"{column.name}.accepted",
                "ranges",
                f"{column.name} is none of {', '.join(column.accepted)}",
                _count(f"{name} NOT IN ({values})"),
            )
        )
    if column.references:
        table, _, referred = column.references.rpartition(".")
        rules.append(
            Rule(
                f"{column.name}.references",
                "references",
                f"{column.name} is not found in {column.references}",
                _count(f'{name} IS NOT NULL AND {name} NOT IN (SELECT "{referred}" FROM {table})'),
            )
        )
    return rules


def _count(condition: str) -> str:
    return f"count(*) FILTER (WHERE {condition})"


def _literal(column: Column, bound: Decimal | str) -> str:
    return f"CAST('{bound}' AS {column.type})"


def aggregate_sql(contract: Contract, rules: Sequence[Rule], where: str = "true") -> str:
    """One SELECT with a column per rule, over the partition that `where` names."""
    columns = ",\n  ".join(["count(*)", *(rule.expression for rule in rules)])
    return f"SELECT\n  {columns}\nFROM {contract.address}\nWHERE {where}"


def check_table(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    *,
    where: str = "true",
    parameters: Mapping[str, object] | None = None,
    minimum_rows: int = 0,
) -> TableResult:
    """Evaluate every rule of a contract on one partition; raises `MissingTable` where there is no such table."""
    schema = _check_schema(connection, contract)
    if not schema.passed:
        return TableResult(contract, 0, (schema,))
    rules = compile_rules(contract, minimum_rows=minimum_rows)
    sql = aggregate_sql(contract, rules, where)
    used = {name: value for name, value in (parameters or {}).items() if f"${name}" in sql}
    ((rows, *offending),) = connection.execute(sql, used).fetchall()
    found = (RuleResult(rule, int(count), int(rows)) for rule, count in zip(rules, offending, strict=True))
    return TableResult(contract, int(rows), (schema, *found))


def _check_schema(connection: duckdb.DuckDBPyConnection, contract: Contract) -> RuleResult:
    actual = dict(
        connection.execute(
            "SELECT column_name, data_type FROM information_schema.columns"
            " WHERE table_schema = $schema AND table_name = $table",
            {"schema": contract.schema, "table": contract.table},
        ).fetchall()
    )
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
    return RuleResult(Rule("schema.columns", "schema", description, ""), len(faults), len(expected))
