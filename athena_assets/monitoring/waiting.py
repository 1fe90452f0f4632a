"""What a table waits for: the findings of what it would read and the gate would refuse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb

from athena_assets.errors import InvalidArgument
from athena_assets.monitoring.alerting import Knowledge
from athena_assets.monitoring.grouping import REFUSALS
from athena_assets.nights import Night
from checks.verdicts import UNPARTITIONED, has_gate
from resources.findings import Finding

if TYPE_CHECKING:
    from checks.gaps import Gap
    from checks.needs import GatePlan


def partition_named(plan: GatePlan, asset: str, partition: str | None) -> str | None:
    """The partition that somebody who names a table means; None where no night is named.

    A table without partitions has no other than '', whichever night its run was of. Raises `InvalidArgument` for what
    is no day, and for one that the table can never have; a night that has not come yet can be asked for.
    """
    from checks.partition_names import can_ever_be, is_monthly, key_named

    if plan.has_partition(asset, UNPARTITIONED):
        return UNPARTITIONED
    if partition is None:
        return None
    partitions = plan.partitions_of(asset)
    key = Night.parse(key_named(partitions, partition)).key
    if not can_ever_be(partitions, key):
        first = partitions.get_first_partition_key() if partitions is not None else UNPARTITIONED
        raise InvalidArgument(
            f"{asset} has no partition {partition}",
            expected=f"a month, YYYY-MM, from {str(first)[:7]} on"
            if is_monthly(partitions)
            else f"a night from {first} on",
            found=partition,
            next_command=f"athena why {asset}",
        )
    return key


def waits_for(
    connection: duckdb.DuckDBPyConnection,
    plan: GatePlan,
    asset: str,
    partition: str | None,
    findings: Sequence[Finding],
    knowledge: Knowledge,
    *,
    at: datetime,
) -> tuple[str, list[Finding]]:
    """The partition that is meant, and what is wrong with the first one that it waits for; nothing where it may go on.

    partition: None where only a table was named. findings: the open ones, oldest first. at: naive UTC.
    """
    from checks.gaps import latest_partition, open_gaps

    if not has_gate(connection):
        return partition or UNPARTITIONED, []
    if partition is None:
        partition = _meant(connection, plan, asset, findings, knowledge)
    if partition is None:
        return UNPARTITIONED, []
    wanted = [] if partition == UNPARTITIONED else [partition]
    needs = plan.needs_of(asset, wanted, lambda name: latest_partition(connection, name))
    gaps, _ = open_gaps(connection, plan, needs, at=at)
    order = {address: number for number, address in enumerate(plan.addresses)}
    return partition, _wrong_with(sorted(gaps, key=lambda gap: (gap.state != "failed", order[gap.asset])), findings)


def _meant(
    connection: duckdb.DuckDBPyConnection,
    plan: GatePlan,
    asset: str,
    findings: Sequence[Finding],
    knowledge: Knowledge,
) -> str | None:
    """The partition of the newest error at a table or above it, else the last that was written; None where none was."""
    from checks.gaps import latest_partition

    monthly = knowledge.is_monthly(asset)
    for finding in reversed(findings):
        above = asset == finding.asset or asset in knowledge.downstream_of(finding.asset)
        if not above or not finding.partition or finding.severity != "ERROR":
            continue
        if monthly:
            month = f"{finding.partition[:7]}-01"
            if plan.has_partition(asset, month):
                return month
        elif not knowledge.is_monthly(finding.asset):
            return finding.partition
    return latest_partition(connection, asset)


def _wrong_with(gaps: Sequence[Gap], findings: Sequence[Finding]) -> list[Finding]:
    """What was written down of the first gap; of what no check has seen, the error that kept it from being seen."""
    if not gaps:
        return []
    first = gaps[0]
    if first.state == "failed":
        failed = {gap.check for gap in gaps if (gap.asset, gap.partition, gap.state) == _place_of(first)}
        refused = [each for each in findings if _at(each, first) and each.check in failed]
        return refused or [_finding_of(first)]
    for gap in gaps:
        broken = [each for each in findings if _at(each, gap) and each.kind == "error" and each.rule not in REFUSALS]
        if broken:
            return broken
    return [_finding_of(first)]


def _place_of(gap: Gap) -> tuple[str, str, str]:
    return gap.asset, gap.partition, gap.state


def _at(finding: Finding, gap: Gap) -> bool:
    return (finding.asset, finding.partition) == (gap.asset, gap.partition)


def _finding_of(gap: Gap) -> Finding:
    return Finding(
        kind="check",
        severity="ERROR",
        asset=gap.asset,
        partition=gap.partition,
        check=gap.check,
        rule=f"{gap.check}.{gap.state}",
        summary=gap.found,
    )
