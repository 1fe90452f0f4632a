"""The gate: nothing is computed from what its checks have not passed, in this run or in any later one.

Dagster's `blocking=True` stops what is downstream in the same run. Every later run, whoever starts it, comes through
here: before a gated asset computes, one query asks for the verdict of every blocking check of every ancestor, for
exactly the partitions that will be read. A verdict must be there, be about the rows that stand and about today's
rules, and have passed; or a named person has overridden it.
"""

import functools
import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import dagster as dg
import duckdb
from dagster._core.definitions.decorators.op_decorator import DecoratedOpFunction

from athena_assets.errors import AthenaError
from checks import overrides
from checks.conditions import only_verified
from checks.gaps import Gap, latest_partition, open_gaps
from checks.needs import GatePlan
from checks.verdicts import Reading, has_gate, last_write, reading
from resources.steps import step
from resources.warehouse import Warehouse, WarehouseMissing

OVERRIDE = "athena/override"
"""Metadata of an asset that was computed although a check had refused what it reads."""


class UpstreamUnverified(AthenaError):
    """An asset would read what a blocking check has refused, or has not judged."""

    def __init__(self, child: str, gaps: Sequence[Gap]) -> None:
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
class Admission:
    """That a step may compute: on the strength of which overrides, and what it was let through to read."""

    relied_on: tuple[overrides.Override, ...] = ()
    read: Reading | None = None


class Policy(Protocol):
    """Decides whether a step may compute."""

    def admit(self, made: Iterable[dg.AssetKey], partitions: Sequence[str], *, run_id: str, at: datetime) -> Admission:
        """Let a step compute; raise where something it would read has not passed."""

    def may_compute(self, made: Sequence[dg.AssetKey], partitions: Sequence[str], at: datetime) -> bool:
        """Whether `admit` would let it compute."""


class Gate:
    """The gate of one home.

    warehouse: where verdicts are; None refuses everything that has an ancestor.
    plan: what every asset reads; asked once, when the first asset is about to compute.
    """

    def __init__(self, warehouse: Warehouse | None, plan: Callable[[], GatePlan]) -> None:
        self._warehouse = warehouse
        self._plan = functools.cache(plan)

    def admit(self, made: Iterable[dg.AssetKey], partitions: Sequence[str], *, run_id: str, at: datetime) -> Admission:
        """See `Policy`. at: naive UTC. Raises `UpstreamUnverified`, `NoVerdicts`."""
        keys = sorted(made)
        if not self._plan().reads(keys):
            return Admission()
        child = f"{', '.join('.'.join(key.path) for key in keys)} {_span(partitions)}".strip()
        if self._warehouse is None:
            raise NoVerdicts(
                f"{child} is not computed: there is no home to read verdicts from",
                expected="a warehouse, or the policy `Ungated` where a test says so",
                found="neither",
            )
        look = self.look(keys, partitions, at=at)
        if look.open_gaps:
            raise UpstreamUnverified(child, look.open_gaps)
        if look.relied_on:
            self._record(look.relied_on, keys, partitions, run_id, at)
        return Admission(look.relied_on, look.read)

    def may_compute(self, made: Sequence[dg.AssetKey], partitions: Sequence[str], at: datetime) -> bool:
        """See `Policy`."""
        if not self._plan().reads(made):
            return True
        return self._warehouse is not None and not self.look(made, partitions, at=at).open_gaps

    def look(self, keys: Sequence[dg.AssetKey], partitions: Sequence[str], *, at: datetime) -> "Look":
        """What a step that makes these assets for these partitions would be told, without letting it through.

        at: naive UTC. Without a warehouse, or with one from before the gate, whatever is needed is missing.
        """
        plan = self._plan()
        try:
            if self._warehouse is not None:
                with self._warehouse.read() as connection:
                    if has_gate(connection):
                        return _look(connection, plan, keys, partitions, at)
        except WarehouseMissing:
            pass
        needs = plan.needs(keys, partitions, lambda _: None)
        return Look(tuple(Gap(need.asset, need.first, need.checks[0].name, "unwritten") for need in needs))

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

    def admit(self, made: Iterable[dg.AssetKey], partitions: Sequence[str], *, run_id: str, at: datetime) -> Admission:
        """Nothing is asked."""
        return Admission()

    def may_compute(self, made: Sequence[dg.AssetKey], partitions: Sequence[str], at: datetime) -> bool:
        """Always."""
        return True


@dataclass(frozen=True)
class Look:
    """What stands against a step, and what would let it through all the same."""

    open_gaps: tuple[Gap, ...] = ()
    relied_on: tuple[overrides.Override, ...] = ()
    read: Reading | None = None


def _look(
    connection: duckdb.DuckDBPyConnection,
    plan: GatePlan,
    keys: Sequence[dg.AssetKey],
    partitions: Sequence[str],
    at: datetime,
) -> Look:
    needs = plan.needs(keys, partitions, lambda asset: latest_partition(connection, asset))
    read = Reading(last_write(connection), tuple((need.asset, need.first, need.last) for need in needs))
    gaps, relied_on = open_gaps(connection, plan, needs, at=at)
    return Look(tuple(gaps), tuple(relied_on), read)


def _span(partitions: Sequence[str]) -> str:
    if not partitions:
        return ""
    return partitions[0] if len(partitions) == 1 else f"{partitions[0]}...{partitions[-1]}"


def gated(assets: dg.AssetsDefinition, policy: Policy) -> dg.AssetsDefinition:
    """The same assets, asking the policy before they compute; a refusal is metered and recorded as any failed step.

    Those with an automation condition are requested only for what the policy would let compute.
    """
    op = assets.op
    wrapped = op.compute_fn
    assert isinstance(wrapped, DecoratedOpFunction)
    body = inspect.unwrap(wrapped.decorated_fn)
    # A run of a night has a partition key, too, for the assets in it that have no partitions.
    partitioned = any(spec.partitions_def is not None for spec in assets.specs)

    def admit(context: dg.AssetExecutionContext) -> Reading | None:
        partitions = tuple(context.partition_keys) if partitioned else ()
        made = context.selected_asset_keys
        now = datetime.now(UTC).replace(tzinfo=None)
        admission = policy.admit(made, partitions, run_id=context.run.run_id, at=now)
        for key in made if admission.relied_on else ():
            said = "; ".join(override.sentence() for override in admission.relied_on)
            context.log.warning("%s is computed although refused: %s", key.to_user_string(), said)
            context.add_asset_metadata({OVERRIDE: said}, asset_key=key)
        return admission.read

    if inspect.isgeneratorfunction(body):

        @step
        @functools.wraps(body)
        def compute(context: Any, *arguments: Any, **named: Any) -> Iterator[Any]:
            with reading(admit(context)):
                yield from body(context, *arguments, **named)
    else:

        @step
        @functools.wraps(body)
        def compute(context: Any, *arguments: Any, **named: Any) -> Any:
            with reading(admit(context)):
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
    made = dg.AssetsDefinition.dagster_internal_init(**{**assets.get_attributes_dict(), "node_def": replaced})
    return only_verified(made, policy.may_compute)
