"""Where the verdicts of what will be read have gaps: one query over all checks, partitions and ancestors."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import duckdb

from checks.needs import Check, GatePlan, Need
from checks.overrides import Override, covering, live
from checks.verdicts import has_gate


@dataclass(frozen=True)
class Gap:
    """One blocking check that has not passed for one partition that will be read."""

    asset: str
    partition: str
    check: str
    state: str
    """`failed`, `missing` (not judged since it was written), `outdated` (judged by other rules), `unwritten`, or
    `overtaken` (what it was computed from has been written again since)."""
    faults: str = ""

    @property
    def where(self) -> str:
        """The partition in words."""
        return f"{self.asset} {self.partition}".strip()

    @property
    def what(self) -> str:
        """What is wrong with it."""
        states = {
            "failed": f"which failed its check {self.check}",
            "missing": f"whose check {self.check} has no verdict",
            "unwritten": "which has not been written",
            "overtaken": f"which was computed before {self.faults} was written again",
            "outdated": f"whose check {self.check} was judged by other rules than today's",
        }
        return states[self.state]

    @property
    def found(self) -> str:
        """The line of the error."""
        if self.state == "overtaken":
            return f"{self.where}: {self.what.removeprefix('which was ')}"
        return f"{self.where}: {self.check} {self.state}{f': {self.faults}' if self.faults else ''}"

    @property
    def next_command(self) -> str:
        """What brings the check to pass."""
        return "athena check --outdated" if self.state in ("missing", "outdated") else f"athena why {self.where}"


def latest_partition(connection: duckdb.DuckDBPyConnection, asset: str) -> str | None:
    """The last partition of an asset that has been written."""
    ((found,),) = connection.execute(
        "SELECT max(partition) FROM gate.materialisation WHERE asset = $asset", {"asset": asset}
    ).fetchall()
    return None if found is None else str(found)


def passed_partitions(connection: duckdb.DuckDBPyConnection, plan: GatePlan, asset: str) -> set[str]:
    """The written partitions of an asset that have passed every blocking check, by today's rules."""
    if not has_gate(connection):
        return set()
    rows = connection.execute(
        "SELECT partition FROM gate.materialisation WHERE asset = $asset", {"asset": asset}
    ).fetchall()
    written = {str(row[0]) for row in rows}
    gaps = find_gaps(connection, plan.own((asset, partition) for partition in written))
    return written - {gap.partition for gap in gaps}


def gaps_before(connection: duckdb.DuckDBPyConnection, plan: GatePlan, needs: Sequence[Need]) -> list[Gap]:
    """All that stands against reading: verdicts that are not there, and rows made of others than those judged."""
    return [*find_gaps(connection, needs), *_overtaken(connection, plan, needs)]


def lifting(overrides: Iterable[Override], gap: Gap) -> Override | None:
    """The override that lets a gap through; a person answers for what a check refused, not for what none has seen."""
    return covering(overrides, gap.asset, gap.partition, gap.check) if gap.state == "failed" else None


def open_gaps(
    connection: duckdb.DuckDBPyConnection, plan: GatePlan, needs: Sequence[Need], *, at: datetime
) -> tuple[list[Gap], list[Override]]:
    """What stands against reading and no override lifts, and the overrides that lift the rest. at: naive UTC."""
    gaps = gaps_before(connection, plan, needs)
    lifted = live(connection, at=at) if gaps else []
    used = [lifting(lifted, gap) for gap in gaps]
    standing = [gap for gap, override in zip(gaps, used, strict=True) if override is None]
    return standing, list({override.id: override for override in used if override is not None}.values())


OVERTAKEN = "overtaken"


def _overtaken(connection: duckdb.DuckDBPyConnection, plan: GatePlan, needs: Sequence[Need]) -> list[Gap]:
    """Partitions that stand as computed from rows that have been replaced since.

    What a refused partition once gave to its readers is still there when the partition itself has been mended; its own
    verdicts are about it and cannot tell. What one run wrote is of one piece, in whatever order.

    Partitions of one name only. Later nights and months read earlier nights, too, and would all be overtaken by a night
    that is merely run again: the steps that make them ask themselves, and of the sources, by what was delivered
    (`refuse_outdated`, `refuse_outdated_training`).
    """
    edges = plan.same_partition_edges({need.asset for need in needs})
    spans: dict[str, list[Need]] = {}
    for need in needs:
        spans.setdefault(need.asset, []).append(need)
    rows = [(need, parent) for child, parent in edges for need in spans[child]]
    if not rows:
        return []
    found = connection.execute(
        "WITH edge AS (SELECT unnest($child) AS child, unnest($parent) AS parent, unnest($first) AS first,"
        " unnest($last) AS last), own AS (SELECT edge.*, made.partition, made.id, made.run_id FROM edge"
        " JOIN gate.materialisation AS made ON made.asset = edge.child WHERE made.partition >= first"
        " AND made.partition <= last) SELECT DISTINCT own.child, own.partition, own.parent FROM own"
        " JOIN gate.materialisation AS above ON above.asset = own.parent AND above.partition = own.partition"
        " WHERE above.id > own.id AND above.run_id <> own.run_id ORDER BY ALL",
        {
            "child": [need.asset for need, _ in rows],
            "parent": [parent for _, parent in rows],
            "first": [need.first for need, _ in rows],
            "last": [need.last for need, _ in rows],
        },
    ).fetchall()
    return [Gap(child, partition, OVERTAKEN, OVERTAKEN, parent) for child, partition, parent in found]


def find_gaps(connection: duckdb.DuckDBPyConnection, needs: Sequence[Need]) -> list[Gap]:
    """Every check that has not passed for a partition that is needed, in the order of the needs: one query when all is
    well, one more per check that is not."""
    rows = [(need, check) for need in needs for check in need.checks]
    if not rows:
        return []
    passed = _passed(connection, rows)
    gaps: list[Gap] = []
    for number, (need, check) in enumerate(rows):
        if passed.get(number, 0) >= len(need.keys):
            continue
        verdicts: Mapping[str, tuple[bool, str, str]] = {
            partition: (good, rules_hash, faults)
            for partition, good, rules_hash, faults in connection.execute(
                "SELECT partition, passed, rules_hash, faults FROM gate.verdict WHERE asset = $asset"
                " AND check_name = $check AND partition BETWEEN $first AND $last",
                {"asset": need.asset, "check": check.name, "first": need.first, "last": need.last},
            ).fetchall()
        }
        written = _written(connection, need)
        for key in need.keys:
            good, rules_hash, faults = verdicts.get(key, (False, None, ""))
            if rules_hash is None:
                gaps.append(Gap(need.asset, key, check.name, "missing" if key in written else "unwritten"))
            elif rules_hash != check.rules_hash:
                gaps.append(Gap(need.asset, key, check.name, "outdated"))
            elif not good:
                gaps.append(Gap(need.asset, key, check.name, "failed", faults))
    # What failed says more than what was never reached because of it.
    return sorted(gaps, key=lambda gap: gap.state != "failed")


def _passed(connection: duckdb.DuckDBPyConnection, rows: Sequence[tuple[Need, Check]]) -> dict[int, int]:
    """How many of the partitions of each need have passed, by the need's place.

    One partition is found by equality and a stretch by a condition on what the equal columns have found: joined on a
    range DuckDB compares every pair, which is four hundred times slower.
    """
    found = {}
    for stretch in (False, True):
        chosen = [(number, need, check) for number, (need, check) in enumerate(rows) if (len(need.keys) > 1) == stretch]
        if not chosen:
            continue
        on = "" if stretch else " AND verdict.partition = need.first"
        counts = connection.execute(
            "WITH need AS (SELECT unnest($asset) AS asset, unnest($check) AS check_name, unnest($hash) AS rules_hash,"
            " unnest($first) AS first, unnest($last) AS last, unnest($number) AS number)"
            " SELECT number, count(*) FILTER (WHERE verdict.partition >= first AND verdict.partition <= last)"
            " FROM need JOIN gate.verdict ON verdict.asset = need.asset AND verdict.check_name = need.check_name"
            f" AND verdict.rules_hash = need.rules_hash{on} WHERE verdict.passed GROUP BY number",
            {
                "asset": [need.asset for _, need, _ in chosen],
                "check": [check.name for _, _, check in chosen],
                "hash": [check.rules_hash for _, _, check in chosen],
                "first": [need.first for _, need, _ in chosen],
                "last": [need.last for _, need, _ in chosen],
                "number": [number for number, _, _ in chosen],
            },
        ).fetchall()
        found.update({int(number): int(count) for number, count in counts})
    return found


def _written(connection: duckdb.DuckDBPyConnection, need: Need) -> set[str]:
    rows = connection.execute(
        "SELECT partition FROM gate.materialisation WHERE asset = $asset AND partition BETWEEN $first AND $last",
        {"asset": need.asset, "first": need.first, "last": need.last},
    ).fetchall()
    return {str(row[0]) for row in rows}
