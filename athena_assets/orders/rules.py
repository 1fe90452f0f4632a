"""Cleaning rules: read from YAML, checked, in the order in which they decide.

What a raw table's contract quarantines stands where the list says `use: contract`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from athena_assets.errors import AthenaError
from athena_assets.yaml_text import load_yaml
from checks.compiler import range_conditions
from checks.contract_files import load_contract

RULES = Path(__file__).parent / "rules"
COMMON = "common"
CORRECTED = "corrected"
CONTRACT = "contract"
"""`use: contract`: the ranges that the raw table's contract quarantines."""


Level = Literal["line", "order", "version"]


class InvalidRules(AthenaError):
    """A rules file does not decide about every row, or says something it cannot mean."""


class Rule(BaseModel):
    """One rule; the first whose `when` holds decides about a row.

    `merchandise` is false for kept lines that are charges, not goods. A rule of `level` order is tried after
    the line rules, on the lines they keep, and sees the whole order (`order_total`, `header_total`). One of level
    version comes last, for a source that corrects orders, and sees whether the order is as an earlier night told it
    (`same_as_known`).
    `repeats` marks a quarantine of rows that say again what has been kept: nothing is lost with them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    disposition: Literal["keep", "quarantine"]
    when: str
    reason: str
    merchandise: bool = True
    level: Level = "line"
    repeats: bool = False

    @model_validator(mode="after")
    def _sensible(self) -> "Rule":
        if self.level != "line" and self.disposition == "keep":
            raise ValueError(f"a rule of level {self.level} can only quarantine")
        if not self.merchandise and self.disposition == "quarantine":
            raise ValueError("merchandise is a property of kept lines")
        if self.repeats and self.disposition == "keep":
            raise ValueError("repeats is a property of quarantined rows")
        return self


class Resolution(BaseModel):
    """Which of several contradicting values a derived table takes, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    code: str
    applies_to: str
    choice: str
    reason: str


@dataclass(frozen=True)
class RuleSet:
    """The rules of one source: per raw table, in order."""

    source: str
    tables: dict[str, tuple[Rule, ...]]
    resolutions: tuple[Resolution, ...]

    def of(self, table: str) -> tuple[Rule, ...]:
        """The rules of a raw table, first to last."""
        return self.tables[table]


@cache
def rules_for(source: str, *, corrects_orders: bool = False) -> RuleSet:
    """The rules of a source: its own file over the common one; a source without a file takes the common rules.

    corrects_orders: a source without a file that says so takes `corrected.yaml` over the common rules.
    Raises `InvalidRules` naming file, table and code.
    """
    common = {table: _rules(entries, {}, COMMON, table) for table, entries in _document(COMMON)["tables"].items()}
    name = source if (RULES / f"{source}.yaml").exists() else CORRECTED if corrects_orders else COMMON
    if name == COMMON:
        return RuleSet(source, common, ())
    document = _document(name)
    own = {
        table: _rules(entries, {rule.code: rule for rule in common.get(table, ())}, name, table)
        for table, entries in document["tables"].items()
    }
    versioned = any(rule.level == "version" for rules in own.values() for rule in rules)
    if versioned != corrects_orders:
        raise InvalidRules(
            f"rules/{name}.yaml and the source {source} do not agree on corrected orders",
            expected="a rule of level version where the source declares corrects_orders, and nowhere else",
            found=f"corrects_orders: {str(corrects_orders).lower()}, and {'one' if versioned else 'no'} such rule",
        )
    resolutions = tuple(Resolution.model_validate(entry) for entry in document.get("resolutions", ()))
    return RuleSet(source, {**common, **own}, resolutions)


def _document(name: str) -> dict[str, dict[str, list[dict[str, object]]]]:
    document = load_yaml((RULES / f"{name}.yaml").read_text(encoding="utf-8"))
    if not isinstance(document, dict) or not isinstance(document.get("tables"), dict):
        raise InvalidRules(f"rules/{name}.yaml has no tables", expected="a key `tables` with lists of rules")
    return document


def _rules(entries: list[dict[str, object]], common: dict[str, Rule], name: str, table: str) -> tuple[Rule, ...]:
    of_contract = contract_rules(table)
    rules: list[Rule] = []
    for entry in entries:
        rules += of_contract if entry == {"use": CONTRACT} else [_rule(entry, common, name, table)]
    codes = [rule.code for rule in rules]
    repeated = sorted({code for code in codes if codes.count(code) > 1})
    if repeated:
        raise InvalidRules(f"rules/{name}.yaml: {table}: {repeated[0]} stands twice", expected="codes once each")
    if not rules or rules[-1].when != "true" or rules[-1].level != "line":
        raise InvalidRules(
            f"rules/{name}.yaml: {table}: not every row is decided about",
            expected='a last rule with when: "true"',
            found=rules[-1].code if rules else "no rule",
        )
    ignored = [rule.code for rule in of_contract if rule.code not in codes]
    if ignored:
        raise InvalidRules(
            f"rules/{name}.yaml: {table}: what the contract quarantines is left out",
            expected=f"`use: {CONTRACT}` in the list",
            found=f"no {ignored[0]}",
        )
    return tuple(rules)


def contract_rules(table: str) -> list[Rule]:
    """The rules that the contract of a raw table states by `on_failure: quarantine`; their codes are its rules' ids."""
    contract = load_contract(f"raw.{table}")
    return [
        Rule(
            code=rule_id,
            disposition="quarantine",
            when=condition,
            reason=column.reason or f"{words[0].upper()}{words[1:]}, by the contract of {contract.address}.",
        )
        for column in contract.columns
        if column.quarantines
        for rule_id, words, condition in range_conditions(column)
    ]


def _rule(entry: dict[str, object], common: dict[str, Rule], name: str, table: str) -> Rule:
    if "use" in entry:
        code = str(entry["use"])
        if len(entry) > 1 or code not in common:
            raise InvalidRules(
                f"rules/{name}.yaml: {table}: `use: {code}` takes over no common rule",
                expected=f"`use` alone, with one of {', '.join(common) or 'none here'}",
                found=str(entry),
            )
        return common[code]
    try:
        return Rule.model_validate(entry)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        raise InvalidRules(
            f"rules/{name}.yaml: {table}: {entry.get('code', 'a rule without code')} is no rule",
            expected=f"{'.'.join(map(str, problem['loc'])) or 'rule'}: {problem['msg']}",
            found=str(problem.get("input")),
        ) from None
