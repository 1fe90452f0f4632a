"""Why something is not published: the rule that failed, the rows, the delivery that brought them, and what mends it.

One screen for the engineer at 6:47, made of what was recorded: findings, verdicts and manifests. Where the warehouse
cannot be read, it says less, and says so.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from textwrap import wrap

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.impact import Impact
from athena_assets.monitoring.mending import Mender
from athena_assets.monitoring.offending import Offending, offending_of
from athena_assets.monitoring.runbooks import is_of_gap, kind_of, runbook_of
from athena_assets.predictions.status import Status
from athena_assets.sources.deliveries import Delivery
from checks.changed_rules import are_changed
from checks.compiler import compile_rules
from checks.contract import Contract
from checks.overrides import Override, covering
from checks.rules import Rule
from resources.findings import Finding

MOST_RULES = 6
WIDTH = 110
CHANGED = (
    "changed since these rows passed: revert the contract and run athena check --outdated,"
    " or keep it and override what it refuses"
)

DOCTOR = "athena doctor"
"""`check` of what a look at the home has found."""


def _wrapped(line: str) -> list[str]:
    return wrap(line, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _facts(facts: Mapping[str, Sequence[str]]) -> list[str]:
    lines = []
    for name, said in facts.items():
        # A command is copied as it stands; names of those affected may be read on several lines.
        shown = said if name in ("next", "or") else [part for line in said for part in _wrapped(line)]
        lines += [f"{name if number == 0 else '':<10} {line}" for number, line in enumerate(shown)]
    return lines


@dataclass(frozen=True)
class Why:
    """Everything about what is wrong with one partition of one asset."""

    asset: str
    partition: str
    asked: str
    """What was asked about, when that only waits for the asset above."""
    findings: tuple[Finding, ...]
    offending: tuple[Offending, ...]
    delivery: Delivery | None
    impact: Impact | None
    published: tuple[Status, ...]
    """What each model's readers have in their hands."""
    now: datetime
    """On the retailer's wall."""
    runbook: str
    mend: str
    lifted: tuple[str, ...] = ()
    """The live overrides of the failed checks, in words; with one for each of them, readers are let through."""
    let_through: bool = False
    changed: bool = False
    """Whether the rules changed since these very rows passed."""
    unread: str = ""
    """Why rows and verdicts could not be read, if they could not."""

    @property
    def where(self) -> str:
        """The partition in words."""
        return f"{self.asset} {self.partition}".strip()

    def screen(self) -> str:
        """One screen for a person; the alert says the same."""
        asked = [f"{self.asked} waits for {self.where}"] if self.asked else []
        return "\n".join([*asked, *self._seen(), *self._around()])

    def found(self) -> str:
        """What the checks found and who brought it: true for as long as the rows stay."""
        refused = any(each.severity == "ERROR" for each in self.findings)
        state = "is refused" if refused else "is passed on with a warning"
        if all(each.check == DOCTOR for each in self.findings):
            state = "is not as it should be"
        if self.let_through:
            state = "failed its checks and is let through"
        lines = [f"{self.where} {state}"]
        if self.changed:
            lines.append(f"  the rules of {self.asset.removesuffix('_history')} {CHANGED}")
        for finding in self.findings[:MOST_RULES]:
            lines.append(f"  {finding.check}: {finding.summary if finding.kind == 'check' else finding.details}")
        if len(self.findings) > MOST_RULES:
            lines.append(f"  and {len(self.findings) - MOST_RULES} more rules")
        for offending in self.offending[:2]:
            lines += [f"  rows that offend {offending.rule}:", *(f"    {line}" for line in offending.lines())]
        return "\n".join([*lines, *_facts({"delivery": [self._delivered()] if self.delivery else []})])

    def _seen(self) -> list[str]:
        """What was found, of now; where the rows cannot be read, of when they were checked."""
        if not self.unread:
            return [self.found()]
        kept = self.findings[0].details if self.findings[0].kind == "check" else ""
        return [kept or self.found(), f"  the rows could not be read: {self.unread}"]

    def _around(self) -> list[str]:
        # What mends it stands before whom it hits.
        return _facts(
            {
                "override": list(self.lifted),
                "next": [self.mend],
                "or": [self._override()] if self._can_be_overridden else [],
                "published": [self._up(each) for each in self.published],
                "runbook": [self.runbook],
                "affected": self.impact.lines() if self.impact else [],
            }
        )

    def _up(self, status: Status) -> str:
        if status.night is None:
            return status.sentence(self.now)
        return f"{status.model}: night {status.night.key} stays up, {status.age(self.now)} old"

    @property
    def _can_be_overridden(self) -> bool:
        return (
            not self.let_through
            and all(each.kind == "check" and not is_of_gap(each) for each in self.findings)
            and self.findings[0].severity == "ERROR"
        )

    def _override(self) -> str:
        partition = self.partition or "''"
        return f"athena override grant {self.asset} {partition} --by NAME --reason TEXT, if it is safe to read as it is"

    def _delivered(self) -> str:
        assert self.delivery is not None
        names = ", ".join(Path(file.path).name for file in self.delivery.files)
        return f"{self.delivery.delivery_id}, registered {self.delivery.registered_at:%Y-%m-%d %H:%M}: {names}"

    def document(self) -> Mapping[str, object]:
        """For a program."""
        return {
            "asset": self.asset,
            "partition": self.partition,
            "asked": self.asked,
            "findings": [each.__dict__ for each in self.findings],
            "offending": [
                {"rule": each.rule, "rows": [dict(zip(each.columns, map(str, row), strict=True)) for row in each.rows]}
                for each in self.offending
            ],
            "delivery": self.delivery.delivery_id if self.delivery else None,
            "affected": self.impact.lines() if self.impact else [],
            "published": [{**each.document(), "age": each.age(self.now)} for each in self.published],
            "overrides": list(self.lifted),
            "let_through": self.let_through,
            "runbook": self.runbook,
            "next": self.mend,
            "rules_changed": self.changed,
            "unread": self.unread,
        }


@dataclass(frozen=True)
class Records:
    """What `explain` reads of a home."""

    mender: Mender
    contracts: Mapping[str, Contract]
    impact_of: Callable[[str, Collection[str] | None], Impact | None]
    """What is downstream of a table, or of some of its columns; None where that is not known."""
    published: tuple[Status, ...]
    now: datetime
    reading: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]


def explain(
    records: Records,
    roots: Sequence[Finding],
    *,
    lifted: Sequence[Override] = (),
    asked: tuple[str, str] | None = None,
) -> Why:
    """Everything about one partition, from what is wrong with it.

    roots: at least one finding, the gravest first; those of the first one's asset and partition are told.
    lifted: the overrides that hold now.
    asked: asset and partition that were asked about, where they only wait for this; mended, they are computed too.
    """
    first = roots[0]
    findings = tuple(each for each in roots if (each.asset, each.partition) == (first.asset, first.partition))
    contract = records.contracts.get(first.asset) or records.contracts.get(first.asset.removesuffix("_history"))
    offending: tuple[Offending, ...] = ()
    changed, unread = False, ""
    if contract is not None and first.kind == "check":
        own = contract.twin() if first.asset.endswith("_history") else contract
        try:
            with records.reading() as connection:
                rules = {rule.id: rule for rule in compile_rules(own, minimum_rows=1)}
                offending = tuple(
                    offending_of(
                        connection, own, rules, [each.rule for each in findings[:MOST_RULES]], first.partition or None
                    )
                )
                changed = _is_by_other_rules(connection, rules, findings)
        except (AthenaError, duckdb.Error) as error:
            changed, unread = CHANGED in first.details, str(error).splitlines()[0]
    delivery = None
    if not changed:
        delivery = (_named_by(records.mender, first) if unread else None) or _brought(records.mender, first, offending)
    mend = "athena contracts diff" if changed else records.mender.command(first, delivery)
    blocking = sorted((each for each in findings if each.severity == "ERROR"), key=lambda each: each.check)
    excuses = [excuse(each, lifted) for each in blocking]
    return Why(
        asset=first.asset,
        partition=first.partition,
        asked=" ".join(asked).strip() if asked else "",
        findings=findings,
        offending=offending,
        delivery=delivery,
        impact=records.impact_of(first.asset, _columns(contract, findings)),
        published=records.published,
        now=records.now,
        runbook=runbook_of(kind_of(first)),
        mend=records.mender.then(mend, *asked) if asked and not changed else mend,
        lifted=tuple(dict.fromkeys(one.sentence() for one in excuses if one)),
        let_through=bool(excuses) and all(excuses),
        changed=changed,
        unread=unread,
    )


def excuse(finding: Finding, lifted: Sequence[Override]) -> Override | None:
    """The override that lets through what a check refused; none does so for what no check has refused."""
    if finding.kind != "check" or is_of_gap(finding):
        return None
    return covering(lifted, finding.asset, finding.partition, finding.check)


def _columns(contract: Contract | None, findings: Sequence[Finding]) -> list[str] | None:
    """The columns that the failed rules are about; None where one of them is about whole rows."""
    known = {column.name for column in contract.columns} if contract is not None else set()
    named = [finding.rule.partition(".")[0] for finding in findings if finding.severity == "ERROR"]
    return sorted(set(named)) if named and known.issuperset(named) else None


def _is_by_other_rules(
    connection: duckdb.DuckDBPyConnection, rules: Mapping[str, Rule], findings: Sequence[Finding]
) -> bool:
    """Whether all that is as grave as the first finding failed by rules that were others when the rows passed."""
    first = findings[0]
    named = {each.rule for each in findings if each.severity == first.severity and each.kind == "check"}
    known = [rules[name] for name in named if name in rules]
    return len(known) == len(named) and are_changed(connection, first.asset, first.partition, known)


def _named_by(mender: Mender, finding: Finding) -> Delivery | None:
    """The delivery that the check has found: it has read the rows."""
    return next((each for each in mender.deliveries if each.delivery_id in finding.details), None)


def _brought(mender: Mender, finding: Finding, offending: Sequence[Offending]) -> Delivery | None:
    """The delivery that brought the first offending row, else the one that covers the night."""
    for each in offending:
        if "delivery_id" in each.columns:
            name = each.rows[0][each.columns.index("delivery_id")]
            return next((known for known in mender.deliveries if known.delivery_id == name), None)
    return mender.delivery_of(finding) if finding.asset.partition(".")[0] in ("raw", "orders") else None
