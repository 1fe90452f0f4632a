"""What an asset will read, ancestors included: which partitions of which asset, and their blocking checks.

Read from the whole asset graph, because a job's own graph leaves out what it does not run. Dagster's partition mappings
say most of it; two facts about reading have no mapping and are declared where the dependency is (`reads_up_to`,
`order_only`) or on the asset (`OWN_EARLIER`), so that the UI keeps treating a night as one run.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.partitions.context import partition_loading_context

from checks.blocking import RULES_HASH
from checks.verdicts import UNPARTITIONED

READS = "athena/reads"
UP_TO = "this partition and every earlier one"
NOTHING = "nothing: it only comes after"
OWN_EARLIER = "athena/reads_own_earlier_partitions"
"""Metadata of an asset that reads what it wrote for earlier partitions."""


def reads_up_to(key: dg.AssetKey, partition_mapping: dg.PartitionMapping | None = None) -> dg.AssetDep:
    """A dependency of which every partition up to the mapped one is read."""
    return dg.AssetDep(key, partition_mapping=partition_mapping, metadata={READS: UP_TO})


def order_only(key: dg.AssetKey) -> dg.AssetDep:
    """A dependency that is not read: it only has to come before, and its faults do not matter here."""
    return dg.AssetDep(key, metadata={READS: NOTHING})


@dataclass(frozen=True)
class Check:
    """A blocking check, and the rules that a verdict of it has to be about."""

    name: str
    rules_hash: str


@dataclass(frozen=True)
class Need:
    """Partitions of one asset that will be read, from `first` to `last` without a gap, and what must have passed."""

    asset: str
    keys: tuple[str, ...]
    checks: tuple[Check, ...]

    @property
    def first(self) -> str:
        """The earliest partition; '' for an asset that has none."""
        return self.keys[0]

    @property
    def last(self) -> str:
        """The latest partition."""
        return self.keys[-1]


Latest = Callable[[str], str | None]
"""The last partition of an asset that has been written; None where none has."""


class GatePlan:
    """What every asset of one code location reads."""

    def __init__(self, graph: AssetGraph) -> None:
        self._graph = graph
        self._ranges: dict[tuple[dg.PartitionsDefinition, str, str], tuple[str, ...]] = {}

    def reads(self, made: Iterable[dg.AssetKey]) -> bool:
        """Whether a step that makes these assets reads anything that another one makes, or it made earlier."""
        own = frozenset(made)
        parents = {(child, parent) for child in own for parent in self._graph.get(child).parent_keys}
        others = any(parent not in own and self._reads.get((child, parent)) != NOTHING for child, parent in parents)
        return others or any(self._reads_own_earlier(key) for key in own)

    def needs(self, made: Iterable[dg.AssetKey], partitions: Iterable[str], latest: Latest) -> list[Need]:
        """What a step that makes these assets for these partitions (none: unpartitioned) will read, by asset.

        What the step itself makes for the same partitions is not read from the warehouse and not needed.
        """
        own, keys = frozenset(made), frozenset(partitions) or frozenset([UNPARTITIONED])
        wanted: dict[dg.AssetKey, frozenset[str]] = {}
        with partition_loading_context():
            ahead: list[tuple[dg.AssetKey, frozenset[str]]] = []
            for key in own:
                if self._reads_own_earlier(key) and keys != {UNPARTITIONED}:
                    ahead.append((key, self._up_to(key, keys) - keys))
                ahead += self._parents(key, keys, latest)
            while ahead:
                key, read = ahead.pop()
                if self._reads_own_earlier(key):
                    read = self._up_to(key, read)
                if key in own:
                    read = read - keys
                fresh = read - wanted.get(key, frozenset())
                if fresh:
                    wanted[key] = wanted.get(key, frozenset()) | fresh
                    ahead += self._parents(key, fresh, latest)
            return [
                Need(".".join(key.path), run, self._checks[key])
                for key, read in sorted(wanted.items(), key=lambda item: item[0].to_user_string())
                if self._checks.get(key)
                for run in self.stretches(".".join(key.path), read)
            ]

    def needs_of(self, asset: str, partitions: Iterable[str], latest: Latest) -> list[Need]:
        """What a step that makes one asset, `schema.table`, alone will read."""
        return self.needs([dg.AssetKey(asset.split("."))], partitions, latest)

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """Every asset, those that are read before those that read them."""
        return tuple(".".join(key.path) for key in self._graph.toposorted_asset_keys)

    def own(self, written: Iterable[tuple[str, str]]) -> list[Need]:
        """What must have passed of partitions that have been written, `(asset, partition)`, themselves."""
        keys: dict[str, set[str]] = {}
        for asset, partition in written:
            keys.setdefault(asset, set()).add(partition)
        return [
            Need(asset, run, self._checks[dg.AssetKey(asset.split("."))])
            for asset in self.addresses
            if asset in keys and dg.AssetKey(asset.split(".")) in self._checks
            for run in self.stretches(asset, keys[asset])
        ]

    def stretches(self, asset: str, keys: Iterable[str]) -> list[tuple[str, ...]]:
        """Partitions of an asset as stretches without a gap; one by one where their names are not in order of time."""
        partitions = self._graph.get(dg.AssetKey(asset.split("."))).partitions_def
        wanted = frozenset(keys)
        if len(wanted) < 2 or not isinstance(partitions, dg.TimeWindowPartitionsDefinition):
            return [(key,) for key in sorted(wanted)]
        found: list[list[str]] = []
        last: str | None = None
        for key in self._range(partitions, min(wanted), max(wanted)):
            if key in wanted:
                if last is not None and found:
                    found[-1].append(key)
                else:
                    found.append([key])
                last = key
            else:
                last = None
        return [tuple(run) for run in found]

    @cached_property
    def _checks(self) -> Mapping[dg.AssetKey, tuple[Check, ...]]:
        found: dict[dg.AssetKey, list[Check]] = {}
        for check_key in sorted(self._graph.asset_check_keys, key=lambda key: key.name):
            spec = self._graph.get_check_spec(check_key)
            if spec.blocking:
                check = Check(spec.name, str(spec.metadata.get(RULES_HASH, "")))
                found.setdefault(check_key.asset_key, []).append(check)
        return {key: tuple(checks) for key, checks in found.items()}

    @cached_property
    def _reads(self) -> Mapping[tuple[dg.AssetKey, dg.AssetKey], str]:
        return {
            (spec.key, dep.asset_key): str(dep.metadata[READS])
            for assets in self._graph.assets_defs
            for spec in assets.specs
            for dep in spec.deps
            if READS in dep.metadata
        }

    def _reads_own_earlier(self, key: dg.AssetKey) -> bool:
        return bool(self._graph.get(key).metadata.get(OWN_EARLIER))

    def _parents(
        self, child: dg.AssetKey, keys: frozenset[str], latest: Latest
    ) -> list[tuple[dg.AssetKey, frozenset[str]]]:
        found = []
        for parent in self._graph.get(child).parent_keys:
            reads = self._reads.get((child, parent))
            if reads == NOTHING or parent == child:
                continue
            read = self._mapped(child, parent, keys, latest)
            found.append((parent, self._up_to(parent, read) if reads == UP_TO else read))
        return found

    def _mapped(self, child: dg.AssetKey, parent: dg.AssetKey, keys: frozenset[str], latest: Latest) -> frozenset[str]:
        """The partitions of the parent that Dagster's mapping names."""
        above, below = self._graph.get(parent).partitions_def, self._graph.get(child).partitions_def
        if above is None:
            return frozenset([UNPARTITIONED])
        mapping = self._graph.get_partition_mapping(child, parent)
        if isinstance(mapping, dg.LastPartitionMapping):
            # Dagster means the last that can be; what is read is the last that is there.
            return frozenset([latest(".".join(parent.path)) or above.get_last_partition_key() or UNPARTITIONED])
        if above == below and mapping in (dg.IdentityPartitionMapping(), dg.TimeWindowPartitionMapping()):
            return keys
        subset = None if below is None else below.subset_with_partition_keys(keys)
        result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, below, above)
        return frozenset(result.partitions_subset.get_partition_keys())

    def _up_to(self, key: dg.AssetKey, keys: frozenset[str]) -> frozenset[str]:
        partitions = self._graph.get(key).partitions_def
        if partitions is None or not keys:
            return keys
        return frozenset(self._range(partitions, partitions.get_first_partition_key() or max(keys), max(keys)))

    def _range(self, partitions: dg.PartitionsDefinition, first: str, last: str) -> tuple[str, ...]:
        """Keys between two that exist, which never change: kept."""
        known = self._ranges.get((partitions, first, last))
        if known is None:
            known = tuple(partitions.get_partition_keys_in_range(dg.PartitionKeyRange(first, last)))
            self._ranges[(partitions, first, last)] = known
        return known
