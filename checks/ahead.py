"""What the gate would say to a job, asked before it is run: nothing is computed and nothing is written."""

from collections.abc import Collection, Sequence
from datetime import datetime
from functools import cached_property

import dagster as dg
import duckdb

from checks.gaps import Gap, latest_partition, open_gaps
from checks.needs import GatePlan, Latest, Need
from checks.overrides import Override
from checks.verdicts import has_gate


class JobAhead:
    """One job of a code location, and what it reads that it does not make itself."""

    def __init__(self, definitions: dg.Definitions, job: str) -> None:
        self._graph = definitions.resolve_asset_graph()
        self._plan = GatePlan(self._graph)
        self._keys = frozenset(definitions.resolve_job_def(job).asset_layer.executable_asset_keys)

    @cached_property
    def partitioned(self) -> tuple[str, ...]:
        """Addresses of the assets that it makes for each of its partitions, upstream first."""
        return self._made(partitioned=True)

    @cached_property
    def unpartitioned(self) -> tuple[str, ...]:
        """Addresses of the assets that it makes anew whatever the partition, upstream first."""
        return self._made(partitioned=False)

    def gaps(
        self, connection: duckdb.DuckDBPyConnection | None, partitions: Sequence[str], *, at: datetime
    ) -> tuple[list[Gap], list[Override]]:
        """What would refuse the job for these partitions, one after the other, and the overrides it would rely on.

        What it makes itself for these very partitions is not asked for. connection: None where there is no warehouse
        yet. at: naive UTC.
        """
        if connection is None or not has_gate(connection):
            needs = self._needs(partitions, lambda _: None)
            return [Gap(need.asset, need.first, need.checks[0].name, "unwritten") for need in needs], []
        needs = self._needs(partitions, lambda asset: latest_partition(connection, asset))
        return open_gaps(connection, self._plan, needs, at=at)

    def reads(self, partition: str, made: Collection[str]) -> bool:
        """Whether the job, run for a partition, reads something that it would make for one of the others."""
        needs = self._plan.needs(self._split[0], [partition], lambda _: None)
        return any(need.asset in self.partitioned and not set(made).isdisjoint(need.keys) for need in needs)

    def _needs(self, partitions: Sequence[str], latest: Latest) -> list[Need]:
        nightly, standing = self._split
        found = self._plan.needs(nightly, partitions, latest) if partitions else []
        made = {*self.partitioned, *self.unpartitioned}
        return [*found, *(need for need in self._plan.needs(standing, (), latest) if need.asset not in made)]

    @cached_property
    def _split(self) -> tuple[frozenset[dg.AssetKey], frozenset[dg.AssetKey]]:
        nightly = frozenset(key for key in self._keys if self._graph.get(key).partitions_def is not None)
        return nightly, self._keys - nightly

    def _made(self, *, partitioned: bool) -> tuple[str, ...]:
        wanted = {".".join(key.path) for key in self._split[0 if partitioned else 1]}
        return tuple(address for address in self._plan.addresses if address in wanted)
