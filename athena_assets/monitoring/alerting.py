"""What an alert says: the findings, who owns them, what they touch, where to read on, and the command that mends them.

Everything that is not in the findings comes in through `Knowledge`, so that an alert can be made where the asset graph
cannot be loaded: it then says less, but it is sent.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, cast

from athena_assets.errors import AthenaError
from athena_assets.impact import Impact
from athena_assets.lifecycle.model_spec import model_names
from athena_assets.monitoring.grouping import DownstreamOf, Group, IsMonthly, arrange, causes_of, group_findings
from athena_assets.monitoring.runbooks import kind_of, runbook_of
from athena_assets.monitoring.why import Why
from resources.alert_book import Claim, RecordedAlert
from resources.findings import Finding, RecordedFinding

MOST_LISTED = 8
"""Findings of one sort that an alert spells out; it counts the rest."""


def _nothing_downstream(asset: str) -> set[str]:
    return set()


def _of_a_model(asset: str) -> bool:
    return asset.partition(".")[0] in model_names() or asset == "athena train"


def _unknown_impact(asset: str) -> Impact | None:
    return None


def _no_screens(findings: Sequence[Finding]) -> list[Why]:
    return []


def _why(finding: Finding) -> str:
    return " ".join(
        ["athena why", *([] if finding.asset.startswith("athena ") else [finding.asset]), finding.partition]
    )


@dataclass(frozen=True)
class Knowledge:
    """What an alert needs to know beside the findings."""

    downstream_of: DownstreamOf = _nothing_downstream
    is_monthly: IsMonthly = _of_a_model
    impact_of: Callable[[str], Impact | None] = _unknown_impact
    """What depends on an asset; None where that is not known."""
    mend: Callable[[Finding], str] = _why
    """The command that mends a finding, or that says what does."""
    explain: Callable[[Sequence[Finding]], list[Why]] = _no_screens
    """What `athena why` says of each place of some findings, the gravest first; nothing where that is not known."""


@dataclass(frozen=True)
class Alert:
    """One alert as it stands."""

    id: int
    key: str
    severity: Literal["ERROR", "WARN"]
    kind: str
    title: str
    opened_at: datetime
    resolved_at: datetime | None
    acknowledged_by: str | None
    roots: tuple[RecordedFinding, ...]
    consequences: tuple[RecordedFinding, ...]
    warnings: tuple[RecordedFinding, ...]
    owners: tuple[str, ...]
    """Who owns the roots: who mends."""
    affected: Mapping[str, tuple[str, ...]]
    """What is downstream, by sort: models, tables, published files, and their owners."""
    runbook: str
    mend: str
    screens: tuple[str, ...]
    """What `athena why` says now of what the checks refused; where it cannot say, what they said then."""

    @property
    def text(self) -> str:
        """Everything, for a person."""
        if self.screens:
            beside = [*_listed("what followed", self.consequences), *_listed("warnings beside it", self.warnings)]
            taken = [f"taken by: {self.acknowledged_by}"] if self.acknowledged_by else []
            return "\n".join([*self.screens, *beside, *taken])
        lines = [*_listed("what", self.roots), *_listed("what followed", self.consequences)]
        lines += _listed("warnings beside it", self.warnings)
        facts = {
            "owner": ", ".join(self.owners),
            **{f"affected {sort}": shortened(names) for sort, names in self.affected.items()},
            "runbook": self.runbook,
            "next": "" if self.resolved_at else self.mend,
            "taken by": self.acknowledged_by or "",
        }
        lines += [f"{name}: {value}" for name, value in facts.items() if value]
        return "\n".join(lines)

    def document(self) -> dict[str, object]:
        """Everything, for a program."""
        return {
            "id": self.id,
            "key": self.key,
            "severity": self.severity,
            "kind": self.kind,
            "title": self.title,
            "opened_at": self.opened_at.isoformat(),
            "resolved_at": self.resolved_at.isoformat() if self.resolved_at else None,
            "acknowledged_by": self.acknowledged_by,
            "owners": list(self.owners),
            "affected": {sort: list(names) for sort, names in self.affected.items()},
            "runbook": self.runbook,
            "next": self.mend,
            "roots": [_document(each) for each in self.roots],
            "consequences": [_document(each) for each in self.consequences],
            "warnings": [_document(each) for each in self.warnings],
        }


def group_with(knowledge: Knowledge) -> Callable[[Sequence[RecordedFinding]], Sequence[Group]]:
    """The grouping of open findings, for the book."""
    return lambda findings: group_findings(
        findings, downstream_of=knowledge.downstream_of, is_monthly=knowledge.is_monthly
    )


def describe(recorded: RecordedAlert, knowledge: Knowledge) -> Alert:
    """The alert of a recorded one, as its findings stand."""
    causes = causes_of(recorded.findings, knowledge.downstream_of)
    group = arrange(recorded.key, recorded.findings, causes)
    first = group.roots[0].finding
    kind = kind_of(first)
    impacts = [impact for asset in _assets(group.roots) if (impact := knowledge.impact_of(asset)) is not None]
    # A step's or a command's error names no owner; the table that it concerns has one.
    owners = [each.finding.owner for each in group.roots] + [impact.tables[0].owner for impact in impacts]
    more = len(group.roots) - 1
    said = [] if recorded.resolved_at else _said_of(group.roots, knowledge)
    return Alert(
        id=recorded.id,
        key=recorded.key,
        severity=cast(Literal["ERROR", "WARN"], recorded.severity),
        kind=kind,
        title=f"{recorded.key}: {first.asset}: {first.summary}{f' (and {more} more)' if more else ''}",
        opened_at=recorded.opened_at,
        resolved_at=recorded.resolved_at,
        acknowledged_by=recorded.acknowledged_by,
        roots=group.roots,
        consequences=group.consequences,
        warnings=group.warnings,
        owners=_unique(owners),
        affected=_affected(impacts),
        runbook=runbook_of(kind),
        mend=said[0].mend if said else _mending(first, knowledge),
        screens=_unique([each.screen() for each in said if each.findings[0].kind == "check"] or _kept(group.roots)),
    )


def _said_of(roots: Sequence[RecordedFinding], knowledge: Knowledge) -> list[Why]:
    try:
        return knowledge.explain([each.finding for each in roots])
    except (AthenaError, OSError):
        # A record that cannot be read may be the very fault that is to be told.
        return []


def _kept(roots: Sequence[RecordedFinding]) -> list[str]:
    return [each.finding.details for each in roots if each.finding.kind == "check"]


def _mending(finding: Finding, knowledge: Knowledge) -> str:
    try:
        return knowledge.mend(finding)
    except (AthenaError, OSError):
        # A record that cannot be read may be the very fault that is to be told.
        return _why(finding)


def headline(alert: Alert, claim: Claim) -> str:
    """The one line by which an alert is known."""
    state = {"opened": "", "escalated": "worse: ", "reminder": "still open: ", "resolved": "resolved: "}
    return f"{alert.severity} alert {alert.id}: {state[claim.occasion]}{alert.title}"


def shortened(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - MOST_LISTED
    return ", ".join(names) if more <= 1 else f"{', '.join(names[:MOST_LISTED])} and {more} more"


def _affected(impacts: Sequence[Impact]) -> dict[str, tuple[str, ...]]:
    sorts = {
        "models": [f"{each.name} ({each.owner})" for impact in impacts for each in impact.models],
        "tables": [each.address for impact in impacts for each in impact.tables[1:]],
        "published": [name for impact in impacts for name in impact.published],
        "owners": [name for impact in impacts for name in impact.owners],
    }
    return {sort: _unique(names) for sort, names in sorts.items() if names}


def _unique(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, names)))


def _assets(findings: Sequence[RecordedFinding]) -> list[str]:
    return list(dict.fromkeys(each.finding.asset for each in findings))


def _listed(name: str, findings: Sequence[RecordedFinding]) -> list[str]:
    if not findings:
        return []
    lines = [f"  {_line(each.finding)}" for each in findings[:MOST_LISTED]]
    if len(findings) > MOST_LISTED:
        lines.append(f"  and {len(findings) - MOST_LISTED} more: athena alerts --json")
    return [f"{name}:", *lines]


def _line(finding: Finding) -> str:
    where = " ".join(filter(None, [finding.asset, finding.partition]))
    figures = {"found": finding.figure, "limit" if finding.kind == "check" else "expected": finding.limit}
    said = ", ".join(f"{name} {value}" for name, value in figures.items() if value and value not in finding.summary)
    return f"{where}, {finding.check}: {finding.summary}{f' ({said})' if said else ''}"


def _document(recorded: RecordedFinding) -> Mapping[str, object]:
    return {
        **asdict(recorded.finding),
        "id": recorded.id,
        "first_seen": recorded.first_seen.isoformat(),
        "last_seen": recorded.last_seen.isoformat(),
        "times_seen": recorded.times_seen,
    }
