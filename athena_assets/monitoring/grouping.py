"""Which findings make one alert: one for each night and root cause.

- Findings of one night form one alert, those of one training month another. What has no partition (the history, a
  command) is grouped by its schema or its command.
- Within a group errors swallow warnings: who has to mend a night reads the warnings there, not in a message of
  their own.
- A finding downstream of another one of the same partition is a consequence: listed, not a cause.
- The gate's refusal is always a consequence of the finding that it names, in whichever partition that is: a bad night
  that stops a month's training is one alert, the night's.
- A finding stays with its alert until it is cleared, also when the cause beside it is cleared first.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from resources.findings import RecordedFinding

REFUSALS = ("UpstreamUnverified",)
"""Classes of the errors by which the gate refuses what lies downstream of something bad."""

DownstreamOf = Callable[[str], set[str]]
"""Every asset that lies downstream of an asset; both as `schema.table`."""

IsMonthly = Callable[[str], bool]
"""Whether the partitions of an asset are months: the key of a month looks like its first night's."""


@dataclass(frozen=True)
class Group:
    """The open findings of one alert."""

    key: str
    """"night 2026-10-29", "month 2026-10", "raw", "athena train"."""
    roots: tuple[RecordedFinding, ...]
    """What to mend; never empty."""
    consequences: tuple[RecordedFinding, ...] = ()
    """What followed from a root, or from a finding of another group."""
    warnings: tuple[RecordedFinding, ...] = ()
    """Warnings beside errors."""

    @property
    def severity(self) -> str:
        """ERROR where there is any."""
        return self.roots[0].finding.severity

    @property
    def members(self) -> tuple[RecordedFinding, ...]:
        """Every finding of the group."""
        return (*self.roots, *self.consequences, *self.warnings)

    @property
    def assets(self) -> frozenset[str]:
        """Every asset that the alert speaks of: only one beyond them is news."""
        return frozenset(each.finding.asset for each in self.members)


def group_findings(
    findings: Sequence[RecordedFinding], *, downstream_of: DownstreamOf, is_monthly: IsMonthly
) -> list[Group]:
    """Group what is open; the groups are in the order of their first findings."""
    causes = causes_of(findings, downstream_of)
    groups: dict[str, list[RecordedFinding]] = {}
    for each in findings:
        groups.setdefault(_key(each, causes, is_monthly), []).append(each)
    return [arrange(key, members, causes) for key, members in groups.items()]


Causes = dict[int, RecordedFinding | None]


def arrange(key: str, members: Sequence[RecordedFinding], causes: Causes) -> Group:
    """Tell roots from consequences and warnings."""
    errors = [each for each in members if each.finding.severity == "ERROR"]
    leading = errors or list(members)
    roots = [each for each in leading if causes.get(each.id) is None] or leading
    return Group(
        key,
        tuple(roots),
        tuple(each for each in leading if each not in roots),
        tuple(each for each in members if each not in leading),
    )


def causes_of(findings: Sequence[RecordedFinding], downstream_of: DownstreamOf) -> Causes:
    """The finding that each one follows from, by id; None for a root."""
    return {each.id: _cause(each, findings, downstream_of) for each in findings}


def _cause(
    finding: RecordedFinding, findings: Sequence[RecordedFinding], downstream_of: DownstreamOf
) -> RecordedFinding | None:
    this = finding.finding
    others = [each for each in findings if each.id != finding.id and each.finding.rule not in REFUSALS]
    if this.rule in REFUSALS:
        named = [each for each in others if _names(f"{this.summary}\n{this.details}", each)]
        if named:
            return named[0]
    for each in others:
        same_night = each.finding.partition == this.partition
        # A warning stopped nothing, so an error is never its consequence.
        as_grave = each.finding.severity == "ERROR" or this.severity == "WARN"
        if same_night and as_grave and this.asset in downstream_of(each.finding.asset):
            return each
    return None


def _names(text: str, cause: RecordedFinding) -> bool:
    """Whether a refusal names a finding: its asset as a whole word, and its partition where it has one."""
    asset, partition = cause.finding.asset, cause.finding.partition
    return bool(re.search(rf"(?<![\w.]){re.escape(asset)}(?!\w)", text)) and partition in text


def _key(finding: RecordedFinding, causes: Causes, is_monthly: IsMonthly) -> str:
    seen: set[int] = set()
    while finding.alert_key is None and finding.id not in seen:
        seen.add(finding.id)
        cause = causes[finding.id]
        if cause is None:
            break
        finding = cause
    if finding.alert_key is not None:
        return finding.alert_key
    asset, partition = finding.finding.asset, finding.finding.partition
    if partition:
        return f"month {partition[:7]}" if is_monthly(asset) else f"night {partition}"
    return asset if asset.startswith("athena ") else asset.partition(".")[0]
