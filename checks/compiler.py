"""Compiles a contract into rules, and the rules of a table into one aggregate SQL pass."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from checks.contract import Column, Contract, Severity
from checks.rules import GROUPS, Rule

_GROUP_OF_DIMENSION = {
    "accuracy": "consistency",
    "conformity": "consistency",
    "consistency": "consistency",
    "timeliness": "freshness",
    "coverage": "completeness",
    "completeness": "completeness",
    "uniqueness": "keys",
    "distribution": "distribution",
}

_COUNTED = re.compile(r"count\(\*\)\s+FILTER\s*\(\s*WHERE\s+(?P<condition>.*)\)", re.DOTALL | re.IGNORECASE)
"""A rule in this form names its offending rows, so that they can be shown."""


@dataclass(frozen=True)
class CheckName:
    """One check of a table: a group of rules of one severity."""

    name: str
    group: str
    severity: Severity
    rules: tuple[Rule, ...]

    @property
    def rules_hash(self) -> str:
        """Twelve hexadecimal digits that change when a rule could decide otherwise; descriptions do not count."""
        body = repr([(each.id, each.expression, each.limit, each.relative, each.band) for each in self.rules])
        return hashlib.sha256(body.encode()).hexdigest()[:12]


def checks_of(contract: Contract, *, minimum_rows: int = 0) -> tuple[CheckName, ...]:
    """The checks that a contract gives rise to, blocking ones first; `schema` always."""
    rules = compile_rules(contract, minimum_rows=minimum_rows)
    columns = Rule("schema.columns", "schema", repr([(each.name, each.type) for each in contract.columns]), "")
    found = []
    severities: tuple[Severity, ...] = ("ERROR", "WARN")
    for severity in severities:
        for group in GROUPS:
            members = [rule for rule in rules if rule.group == group and rule.severity == severity]
            if group == "schema" and severity == "ERROR":
                # The expression is part of the hash: a verdict about other columns is no verdict about these.
                members = [Rule(columns.id, columns.group, "", columns.description)]
            if members:
                found.append(CheckName(members[0].check, group, severity, tuple(members)))
    return tuple(found)


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
    if contract.rows_every_open_day:
        rules.append(
            Rule(
                "rows.open_day",
                "freshness",
                "no rows on a day on which the retailer trades (its mapping declares closed days under `calendar`)",
                "CASE WHEN count(*) = 0 AND $is_open THEN 1 ELSE 0 END",
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
    for rule in contract.rules:
        counted = _COUNTED.fullmatch(rule.expression)
        rules.append(
            Rule(
                rule.id,
                _GROUP_OF_DIMENSION[rule.group],
                rule.description,
                rule.expression,
                limit=rule.limit,
                relative=rule.relative,
                severity=rule.severity,
                band=rule.band,
                condition=counted["condition"] if counted and _balanced(counted["condition"]) else None,
            )
        )
    return tuple(rules)


def _balanced(text: str) -> bool:
    """Whether a text closes no bracket that it has not opened: a share divides what it counts by something."""
    depth = 0
    for character in text:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth < 0:
            return False
    return depth == 0


def range_conditions(column: Column) -> list[tuple[str, str, str]]:
    """`(rule id, description, SQL condition of an offending row)` of a column's range."""
    name = f'"{column.name}"'
    found = []
    if column.minimum is not None:
        found.append(
            (
                f"{column.name}.minimum",
                f"{column.name} is below {column.minimum}",
                f"{name} < {_literal(column, column.minimum)}",
            )
        )
    if column.maximum is not None:
        found.append(
            (
                f"{column.name}.maximum",
                f"{column.name} is above {column.maximum}",
                f"{name} > {_literal(column, column.maximum)}",
            )
        )
    if column.type == "DOUBLE":
        found.append((f"{column.name}.finite", f"{column.name} is not finite", f"NOT isfinite({name})"))
    if column.accepted:
        values = ", ".join("'" + value.replace("'", "''") + "'" for value in column.accepted)
        found.append(
            (
                f"{column.name}.accepted",
                f"{column.name} is none of {', '.join(column.accepted)}",
                f"{name} NOT IN ({values})",
            )
        )
    return found


def _column_rules(column: Column) -> list[Rule]:
    name = f'"{column.name}"'
    rules = []
    if column.required:
        rules.append(_counting_nulls(column, "required"))
    elif column.null_limit is not None:
        rules.append(_counting_nulls(column, "null_limit", column.null_limit))
    if column.null_alert is not None:
        rules.append(_counting_nulls(column, "null_alert", column.null_alert, severity="WARN"))
    if not column.quarantines:
        proofs = _range_proofs(column)
        rules.extend(
            _counting(id, "ranges", words, where, proof=proofs.get(id)) for id, words, where in range_conditions(column)
        )
    if column.references:
        table, _, referred = column.references.rpartition(".")
        rules.append(
            _counting(
                f"{column.name}.references",
                "references",
                f"{column.name} is not found in {column.references}",
                # One NULL among what is referred to would make NOT IN true of nothing.
                f"{name} IS NOT NULL AND {name} NOT IN"
                f' (SELECT "{referred}" FROM {table} WHERE "{referred}" IS NOT NULL)',
            )
        )
    return rules


def _range_proofs(column: Column) -> dict[str, str]:
    """By rule id, what the least and the greatest value of a column say about its range; NaN is the greatest."""
    name = f'"{column.name}"'
    proofs = {}
    if column.minimum is not None:
        proofs["minimum"] = f"min({name}) >= {_literal(column, column.minimum)}"
    if column.maximum is not None:
        proofs["maximum"] = f"max({name}) <= {_literal(column, column.maximum)}"
    if column.type == "DOUBLE":
        proofs["finite"] = f"isfinite(min({name})) AND isfinite(max({name}))"
    return {f"{column.name}.{rule}": proof for rule, proof in proofs.items()}


def _counting_nulls(column: Column, kind: str, share: Decimal | None = None, *, severity: Severity = "ERROR") -> Rule:
    name = f'"{column.name}"'
    words = f"{column.name} is null"
    rule = _counting(f"{column.name}.{kind}", "completeness", words, f"{name} IS NULL", share, severity=severity)
    # Filtered, every further aggregate selects rows of its own: over 48 columns five times the whole scan.
    return replace(rule, cheaper=f"count(*) - count({name})")


def _counting(
    id: str,
    group: str,
    description: str,
    condition: str,
    share: Decimal | None = None,
    *,
    severity: Severity = "ERROR",
    proof: str | None = None,
) -> Rule:
    """A rule that counts the rows for which a condition holds, or their share where a limit is given."""
    return Rule(
        id,
        group,
        description,
        f"count(*) FILTER (WHERE {condition})",
        limit=share or Decimal(0),
        relative=share is not None,
        severity=severity,
        condition=condition,
        proof=proof,
    )


def _literal(column: Column, bound: Decimal | str) -> str:
    return f"CAST('{bound}' AS {column.type})"


def aggregate_sql(table: str, aggregates: Sequence[str], where: str = "true", *, also: Sequence[str] = ()) -> str:
    """One SELECT with the number of rows and a column per aggregate, over the partition that `where` names.

    also: columns to put first, for a query that is then grouped by them.
    """
    columns = ",\n  ".join([*also, "count(*)", *aggregates])
    return f"SELECT\n  {columns}\nFROM {table}\nWHERE {where}"
