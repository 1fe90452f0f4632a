"""The gate: nothing is computed from what its checks have not passed, in this run or in any later one.

Dagster's `blocking=True` stops what is downstream in the same run. Every later run, whoever starts it, comes through
here: before a gated asset computes, one query asks for the verdict of every blocking check of every ancestor, for
exactly the partitions that will be read. A verdict must be there, be about the rows that stand and about today's
rules, and have passed; or a named person has overridden it.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import dagster as dg
import duckdb
from dagster._core.definitions.decorators.op_decorator import DecoratedOpFunction

from athena_assets.errors import AthenaError
from checks import overrides
from checks.needs import GatePlan, Need
from checks.verdicts import has_gate
from resources.steps import step
from resources.warehouse import Warehouse, WarehouseMissing

OVERRIDE = "athena/override"
"""Metadata of an asset that was computed although a check had refused what it reads."""


class UpstreamUnverified(AthenaError):
    """An asset would read what a blocking check has refused, or has not judged."""

    def __init__(self, child: str, gaps: Sequence["Gap"]) -> None:
        self.gaps = tuple(gaps)
        first = gaps[0]
        more = f" (and {len(gaps) - 1} more)" if len(gaps) > 1 else ""
        super().__init__(
            f"{child} is not computed: it would read {first.where}, {first.what}{more}",
            expected="every blocking check of every ancestor to have passed for what will be read",
            found="\n            ".join(gap.found for gap in gaps[:5]),
            next_command=first.next_command,
        )


class NoVerdicts(AthenaError):
    """There is no home to read verdicts from, so nothing can be let through."""


@dataclass(frozen=True)
class Gap:
    """One blocking check that has not passed for one partition that will be read."""

    asset: str
    partition: str
    check: str
    state: str
    """`failed`, `unwritten`, `missing` (never judged since it was written), `outdated` (judged by other rules)."""
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
            "unwritten": "which has not been written",
            "missing": f"whose check {self.check} has no verdict",
            "outdated": f"whose check {self.check} was judged by other rules than today's",
        }
        return states[self.state]

    @property
    def found(self) -> str:
        """The line of the error."""
        return f"{self.where}: {self.check} {self.state}{f': {self.faults}' if self.faults else ''}"

    @property
    def next_command(self) -> str:
        """What brings the check to pass."""
        return f"athena why {self.where}" if self.state in ("failed", "unwritten") else "athena check --outdated"


class Policy(Protocol):
    """Decides whether a step may compute."""

    def admit(
        self, made: Iterable[dg.AssetKey], partitions: Sequence[str], *, run_id: str, at: datetime
    ) -> Sequence[overrides.Override]:
        """Return the overrides that it relies on; raise where something it would read has not passed."""


class Gate:
    """The gate of one home.

    warehouse: where verdicts are; None refuses everything that has an ancestor.
    plan: what every asset reads; asked once, when the first asset is about to compute.
    """

    def __init__(self, warehouse: Warehouse | None, plan: Callable[[], GatePlan]) -> None:
        self._warehouse = warehouse
        self._plan = functools.cache(plan)

    def admit(
        self, made: Iterable[dg.AssetKey], partitions: Sequence[str], *, run_id: str, at: datetime
    ) -> Sequence[overrides.Override]:
        """See `Policy`. at: naive UTC. Raises `UpstreamUnverified`, `NoVerdicts`."""
        keys = sorted(made)
        if not self._plan().reads(keys):
            return ()
        child = f"{', '.join('.'.join(key.path) for key in keys)} {_span(partitions)}".strip()
        if self._warehouse is None:
            raise NoVerdicts(
                f"{child} is not computed: there is no home to read verdicts from",
                expected="a warehouse, or the policy `Ungated` where a test says so",
                found="neither",
            )
        try:
            with self._warehouse.read() as connection:
                gaps, lifted = self._look(connection, keys, partitions, at)
        except WarehouseMissing:
            # Nothing has been written: whatever would be read is missing, and a root reads nothing.
            needs = self._plan().needs(keys, partitions, lambda _: None)
            gaps, lifted = [_missing(need) for need in needs], []
        used = [overrides.covering(lifted, gap.asset, gap.partition, gap.check) for gap in gaps]
        open_gaps = [gap for gap, override in zip(gaps, used, strict=True) if override is None]
        if open_gaps:
            raise UpstreamUnverified(child, open_gaps)
        relied_on = list({override.id: override for override in used if override is not None}.values())
        if relied_on:
            self._record(relied_on, keys, partitions, run_id, at)
        return relied_on

    def _look(
        self,
        connection: duckdb.DuckDBPyConnection,
        keys: Sequence[dg.AssetKey],
        partitions: Sequence[str],
        at: datetime,
    ) -> tuple[list[Gap], list[overrides.Override]]:
        if not has_gate(connection):
            return [_missing(need) for need in self._plan().needs(keys, partitions, lambda _: None)], []
        needs = self._plan().needs(keys, partitions, lambda asset: latest_partition(connection, asset))
        gaps = find_gaps(connection, needs)
        return gaps, overrides.live(connection, at=at) if gaps else []

    def _record(
        self,
        used: Sequence[overrides.Override],
        keys: Sequence[dg.AssetKey],
        partitions: Sequence[str],
        run_id: str,
        at: datetime,
    ) -> None:
        assert self._warehouse is not None
        with self._warehouse.write() as connection:
            for key in keys:
                for partition in partitions or [""]:
                    overrides.record_use(
                        connection, used, asset=".".join(key.path), partition=partition, run_id=run_id, at=at
                    )


class Ungated:
    """The explicit policy of a test of something else: everything may compute."""

    def admit(
        self, made: Iterable[dg.AssetKey], partitions: Sequence[str], *, run_id: str, at: datetime
    ) -> Sequence[overrides.Override]:
        """Nothing is asked."""
        return ()


def latest_partition(connection: duckdb.DuckDBPyConnection, asset: str) -> str | None:
    """The last partition of an asset that has been written."""
    ((found,),) = connection.execute(
        "SELECT max(partition) FROM gate.materialisation WHERE asset = $asset", {"asset": asset}
    ).fetchall()
    return None if found is None else str(found)


def find_gaps(connection: duckdb.DuckDBPyConnection, needs: Sequence[Need]) -> list[Gap]:
    """Every check that has not passed for a partition that is needed, in the order of the needs: one query when all is
    well, one more per check that is not."""
    rows = [(need, check) for need in needs for check in need.checks]
    if not rows:
        return []
    counts = connection.execute(
        "WITH need AS (SELECT unnest($asset) AS asset, unnest($check) AS check_name, unnest($hash) AS rules_hash,"
        " unnest($first) AS first, unnest($last) AS last, unnest($number) AS number)"
        " SELECT number, count(verdict.asset) FROM need LEFT JOIN gate.verdict ON verdict.asset = need.asset"
        " AND verdict.check_name = need.check_name AND verdict.rules_hash = need.rules_hash AND verdict.passed"
        " AND verdict.partition BETWEEN need.first AND need.last GROUP BY number",
        {
            "asset": [need.asset for need, _ in rows],
            "check": [check.name for _, check in rows],
            "hash": [check.rules_hash for _, check in rows],
            "first": [need.first for need, _ in rows],
            "last": [need.last for need, _ in rows],
            "number": list(range(len(rows))),
        },
    ).fetchall()
    passed = {int(number): int(count) for number, count in counts}
    gaps: list[Gap] = []
    for number, (need, check) in enumerate(rows):
        if passed[number] >= len(need.keys):
            continue
        verdicts: Mapping[str, tuple[bool, str, str]] = {
            partition: (good, rules_hash, faults)
            for partition, good, rules_hash, faults in connection.execute(
                "SELECT partition, passed, rules_hash, faults FROM gate.verdict WHERE asset = $asset"
                " AND check_name = $check AND partition BETWEEN $first AND $last",
                {"asset": need.asset, "check": check.name, "first": need.first, "last": need.last},
            ).fetchall()
        }
        written = {
            partition
            for (partition,) in connection.execute(
                "SELECT partition FROM gate.materialisation WHERE asset = $asset"
                " AND partition BETWEEN $first AND $last",
                {"asset": need.asset, "first": need.first, "last": need.last},
            ).fetchall()
        }
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


def _missing(need: Need) -> Gap:
    return Gap(need.asset, need.first, need.checks[0].name, "unwritten")


def _span(partitions: Sequence[str]) -> str:
    if not partitions:
        return ""
    return partitions[0] if len(partitions) == 1 else f"{partitions[0]}...{partitions[-1]}"


def gated(assets: dg.AssetsDefinition, policy: Policy) -> dg.AssetsDefinition:
    """The same assets, asking the policy before they compute; a refusal is metered and recorded as any failed step."""
    op = assets.op
    wrapped = op.compute_fn
    assert isinstance(wrapped, DecoratedOpFunction)
    body = inspect.unwrap(wrapped.decorated_fn)
    # A run of a night has a partition key, too, for the assets in it that have no partitions.
    partitioned = any(spec.partitions_def is not None for spec in assets.specs)

    def admit(context: dg.AssetExecutionContext) -> None:
        partitions = tuple(context.partition_keys) if partitioned else ()
        made = context.selected_asset_keys
        used = policy.admit(made, partitions, run_id=context.run.run_id, at=datetime.now(UTC).replace(tzinfo=None))
        for key in made if used else ():
            said = "; ".join(override.sentence() for override in used)
            context.log.warning("%s is computed although refused: %s", key.to_user_string(), said)
            context.add_asset_metadata({OVERRIDE: said}, asset_key=key)

    if inspect.isgeneratorfunction(body):

        @step
        @functools.wraps(body)
        def compute(context: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
            admit(context)
            yield from body(context, *arguments, **named)
    else:

        @step
        @functools.wraps(body)
        def compute(context: Any, *arguments: Any, **named: Any) -> Any:
            admit(context)
            return body(context, *arguments, **named)

    compute.__gated__ = True  # type: ignore[attr-defined]  # read by the test that walks the asset graph
    replaced = dg.OpDefinition(
        compute_fn=DecoratedOpFunction(compute),
        name=op.name,
        ins=op.ins,
        outs=op.outs,
        description=op.description,
        config_schema=op.config_schema,
        required_resource_keys=set(op.required_resource_keys),
        tags=op.tags,
        retry_policy=op.retry_policy,
        pool=op.pool,
    )
    return dg.AssetsDefinition.dagster_internal_init(**{**assets.get_attributes_dict(), "node_def": replaced})
