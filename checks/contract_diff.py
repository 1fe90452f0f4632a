"""What changed between two versions of a contract, and whether those who rely on it had to be told.

Breaking is what can make a delivery fail that held before, or take something from a reader: a column removed,
renamed, narrowed or newly required, a stricter limit or range, an accepted value less, a new reference, a new rule
that blocks, a warning that blocks now. Anything else is harmless. A breaking change needs a new major version and a
notice: announced at least the promised period before it takes effect. A contract that is removed has no new version to
say so: its last one must carry a notice of the removal.

Column promises are compared one by one; every compiled rule that no column explains is compared as a rule, so that a
kind of rule that is added to the compiler is compared without a line here.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from checks.compiler import compile_rules
from checks.contract import Band, Column, Contract
from checks.contract_files import InvalidContract
from checks.rules import Rule

WIDENINGS = {
    "TINYINT": ("SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    "SMALLINT": ("INTEGER", "BIGINT", "HUGEINT"),
    "INTEGER": ("BIGINT", "HUGEINT"),
    "BIGINT": ("HUGEINT",),
    "FLOAT": ("DOUBLE",),
}
_BY_COLUMN = ("required", "null_limit", "minimum", "maximum", "accepted", "references", "finite")
"""Endings of the ids of rules that columns explain."""

_DECIMAL = re.compile(r"DECIMAL\((\d+),\s*(\d+)\)")


@dataclass(frozen=True)
class Change:
    """One difference. `column` is None where the whole table is meant."""

    breaking: bool
    column: str | None
    what: str


@dataclass(frozen=True)
class ContractDiff:
    """Everything that differs in the contract of one table; one side is None where there is no contract."""

    name: str
    old: Contract | None
    new: Contract | None
    changes: tuple[Change, ...]

    @property
    def breaking(self) -> tuple[Change, ...]:
        """The changes that had to be announced."""
        return tuple(change for change in self.changes if change.breaking)

    def unannounced(self) -> str | None:
        """What is missing for the breaking changes to have been announced; None where nothing is."""
        if not self.breaking or self.old is None:
            return None
        days = self.old.notice_days
        missing = []
        if self.new is not None and _major(self.new) <= _major(self.old):
            missing.append(f"version {_major(self.old) + 1}.0.0 (found {self.new.version})")
        notice = (self.new or self.old).notice
        if notice is None:
            missing.append(f"a notice, announced at least {days} days before it takes effect (found none)")
        elif self.new is None and not self.old.ends:
            missing.append(f"a notice of the removal, `of: removal` (found that of version {self.old.version})")
        elif self.new is not None and self.new.ends:
            missing.append("a notice of this change (found that of the removal)")
        elif self.new is not None and notice == self.old.notice:
            missing.append(f"a notice of this change (found that of version {self.old.version})")
        elif (given := _days(*notice, self.name)) < days:
            missing.append(f"{days} days between announced and effective (found {given})")
        return "; ".join(missing) or None


def diff_contracts(old: Mapping[str, Contract], new: Mapping[str, Contract]) -> tuple[ContractDiff, ...]:
    """The contracts that differ, by name; a contract that only one side has is one that was made or removed."""
    diffs = []
    for name in sorted({*old, *new}):
        before, after = old.get(name), new.get(name)
        changes = tuple(compare(before, after))
        if changes:
            diffs.append(ContractDiff(name, before, after, changes))
    return tuple(diffs)


def compare(old: Contract | None, new: Contract | None) -> Iterator[Change]:
    """Every difference between two versions that can matter to somebody; wording alone cannot."""
    if new is None:
        yield Change(True, None, "contract removed")
    elif old is None:
        yield Change(False, None, "new contract")
    else:
        yield from _tables(old, new)
        yield from _columns(old, new)
        yield from _rules(old, new)


def _tables(old: Contract, new: Contract) -> Iterator[Change]:
    if old.keys != new.keys:
        yield Change(True, None, f"key ({', '.join(old.keys)}) -> ({', '.join(new.keys)})")
    if old.partitioned_by != new.partitioned_by:
        yield Change(True, None, f"partitioned by {old.partitioned_by} -> {new.partitioned_by}")
    if old.history != new.history:
        yield Change(old.history, None, "history table removed" if old.history else "history table added")
    if old.notice_days != new.notice_days:
        shorter = new.notice_days < old.notice_days
        yield Change(shorter, None, f"notice period {old.notice_days} -> {new.notice_days} days")
    if old.owner != new.owner:
        yield Change(False, None, f"owner {old.owner} -> {new.owner}")
    if old.consumers != new.consumers:
        yield Change(False, None, f"consumers {', '.join(old.consumers)} -> {', '.join(new.consumers)}")


def _columns(old: Contract, new: Contract) -> Iterator[Change]:
    before, after = ({column.name: column for column in each.columns} for each in (old, new))
    added = [name for name in after if name not in before]
    for name in before:
        if name not in after:
            renamed = next((each for each in added if _same_meaning(before[name], after[each])), None)
            if renamed is not None:
                added.remove(renamed)
                yield Change(True, name, f"{name} renamed to {renamed}")
            else:
                yield Change(True, name, f"{name} removed")
        else:
            yield from _column(before[name], after[name])
    for name in added:
        required = after[name].required
        yield Change(required, name, f"{name} added{', required' if required else ''}")


def _same_meaning(old: Column, new: Column) -> bool:
    """A removed and an added column of one type are a rename where description or the words of the name say so."""
    words = [sorted(re.split(r"[\W_]+", name.casefold())) for name in (old.name, new.name)]
    return old.type == new.type and (old.description == new.description or words[0] == words[1])


def _column(old: Column, new: Column) -> Iterator[Change]:
    name = old.name
    if old.type != new.type:
        wider = _is_wider(old.type, new.type)
        yield Change(not wider, name, f"{name} {old.type} -> {new.type} ({'wider' if wider else 'not wider'})")
    if old.unit != new.unit:
        yield Change(True, name, f"{name} unit {old.unit} -> {new.unit}")
    nulls = [Decimal(0) if each.required else Decimal(1) if each.null_limit is None else each.null_limit
             for each in (old, new)]  # fmt: skip
    if nulls[0] != nulls[1]:
        yield Change(nulls[1] < nulls[0], name, f"{name} nulls allowed {nulls[0]:.2%} -> {nulls[1]:.2%}")
    elif old.required != new.required:
        yield Change(new.required, name, f"{name} {'required' if new.required else 'no longer required'}")
    for what, a, b, sign in (("minimum", old.minimum, new.minimum, 1), ("maximum", old.maximum, new.maximum, -1)):
        if a != b:
            narrower = b is not None and (a is None or not _at_least_as_wide(a, b, sign))
            yield Change(narrower, name, f"{name} {what} {_shown(a)} -> {_shown(b)}")
    if old.accepted != new.accepted:
        gone = [value for value in old.accepted if value not in new.accepted] if new.accepted else []
        further = [value for value in new.accepted if value not in old.accepted]
        if not old.accepted:
            yield Change(True, name, f"{name} accepts only {', '.join(new.accepted)}")
        elif not new.accepted:
            yield Change(False, name, f"{name} accepts any value")
        elif gone or further:
            parts = [f"no longer accepts {', '.join(gone)}"] if gone else []
            parts += [f"accepts {', '.join(further)} too"] if further else []
            yield Change(bool(gone), name, f"{name} {' and '.join(parts)}")
    if old.references != new.references:
        yield Change(new.references is not None, name, f"{name} reference {old.references} -> {new.references}")
    if old.quarantines != new.quarantines:
        what = "is quarantined" if new.quarantines else "refuses the partition"
        yield Change(not new.quarantines, name, f"{name} out of range {what}")


def _rules(old: Contract, new: Contract) -> Iterator[Change]:
    """Every rule that no column explains."""
    before, after = (_own_rules(each) for each in (old, new))
    for id in {**before, **after}:
        a, b = before.get(id), after.get(id)
        if a is None and b is not None:
            yield Change(b.severity == "ERROR", None, f"new {b.severity} rule {id}: {b.description}")
        elif b is None and a is not None:
            yield Change(False, None, f"rule {id} removed")
        elif a is not None and b is not None:
            yield from _rule(id, a, b)


def _own_rules(contract: Contract) -> dict[str, Rule]:
    stated = {rule.id for rule in contract.rules}
    columns = {column.name for column in contract.columns}

    def explained(id: str) -> bool:
        column, _, ending = id.rpartition(".")
        return id not in stated and ((column in columns and ending in _BY_COLUMN) or id == "key.unique")

    return {rule.id: rule for rule in compile_rules(contract) if not explained(rule.id)}


def _rule(id: str, old: Rule, new: Rule) -> Iterator[Change]:
    blocks = new.severity == "ERROR"
    if old.severity != new.severity:
        yield Change(blocks, None, f"rule {id} {old.severity} -> {new.severity}")
    if old.expression != new.expression or old.relative != new.relative or old.group != new.group:
        # Whether other SQL is stricter cannot be told from its text.
        yield Change(blocks, None, f"rule {id} computed otherwise")
    elif old.limit != new.limit:
        yield Change(blocks and new.limit < old.limit, None, f"rule {id} limit {old.limit} -> {new.limit}")
    if old.band != new.band:
        yield Change(blocks and _narrower(old.band, new.band), None, f"rule {id} compared with its history otherwise")


def _narrower(old: Band | None, new: Band | None) -> bool:
    """Whether a figure that was allowed may not be; of the less usual differences it is assumed."""
    if new is None or old is None:
        return new is not None
    usual: dict[str, Any] = {"tolerance": new.tolerance, "spread": new.spread}
    same_otherwise = all(
        getattr(old, name) == getattr(new, name) for name in Band.__dataclass_fields__ if name not in usual
    )
    return not (same_otherwise and new.tolerance >= old.tolerance and new.spread >= old.spread)


def _is_wider(old: str, new: str) -> bool:
    a, b = _DECIMAL.fullmatch(old), _DECIMAL.fullmatch(new)
    if a and b:
        whole = [int(each[1]) - int(each[2]) for each in (a, b)]
        return whole[1] >= whole[0] and int(b[2]) >= int(a[2])
    return new in WIDENINGS.get(old, ())


def _at_least_as_wide(old: Decimal | str, new: Decimal | str, sign: int) -> bool:
    """Whether the new bound lets through what the old one did; sign 1 for a minimum, -1 for a maximum."""
    try:
        return (Decimal(str(old)) - Decimal(str(new))) * sign >= 0
    except InvalidOperation:
        # Dates and times in ISO form are ordered as their texts are.
        return (str(new) <= str(old)) if sign == 1 else (str(new) >= str(old))


def _shown(bound: Decimal | str | None) -> str:
    return "none" if bound is None else str(bound)


def _major(contract: Contract) -> int:
    try:
        return int(contract.version.split(".")[0])
    except ValueError:
        raise InvalidContract(
            f"the contract of {contract.address} has no version that can be compared",
            expected="MAJOR.MINOR.PATCH",
            found=contract.version,
        ) from None


def _days(announced: str, effective: str, name: str) -> int:
    try:
        return (date.fromisoformat(effective) - date.fromisoformat(announced)).days
    except ValueError as error:
        raise InvalidContract(
            f"the notice of {name} has no dates", expected="announced and effective, YYYY-MM-DD", found=str(error)
        ) from None


def changed_columns(diff: ContractDiff) -> Sequence[str] | None:
    """The columns that the breaking changes are about; None where the table as a whole is, or one is gone."""
    known = {column.name for column in diff.new.columns} if diff.new is not None else set()
    columns = [change.column for change in diff.breaking]
    return sorted({name for name in columns if name}) if all(name in known for name in columns) else None
