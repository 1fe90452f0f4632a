"""What an asset will read, ancestors included: which partitions of which asset, and their blocking checks.

Read from the whole asset graph, because a job's own graph leaves out what it does not run. Dagster's partition mappings
say most of it; what has no mapping is declared where the dependency is (`reads_up_to`, `as_written`, `order_only`) or
on the asset (`OWN_EARLIER`), so that the UI keeps treating a night as one run.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.partitions.context import partition_loading_context

from checks.blocking import RULES_HASH
from checks.verdicts import UNPARTITIONED

READS = "athena/reads"
UP_TO = "this partition and every earlier one"
AS_WRITTEN = "what was handed on when it was written"
NOTHING = "nothing: it only comes after"
OWN_EARLIER = "athena/reads_own_earlier_partitions"
"""Metadata of an asset that reads what it wrote for earlier partitions."""


def reads_up_to(key: dg.AssetKey, partition_mapping: dg.PartitionMapping | None = None) -> dg.AssetDep:
    """A dependency of which every partition up to the mapped one is read."""
    return dg.AssetDep(key, partition_mapping=partition_mapping, metadata={READS: UP_TO})


def as_written(key: dg.AssetKey, partition_mapping: dg.PartitionMapping | None = None) -> dg.AssetDep:
    """A dependency that hands on something of its own, judged when it was written and never changed since.

    Its own checks must have passed; what became of its ancestors afterwards concerns its next version: a registered
    model goes on predicting while a newer training is refused.
    """
    return dg.AssetDep(key, partition_mapping=partition_mapping, metadata={READS: AS_WRITTEN})


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


SORTED_FORMATS = ("%Y-%m-%d", "%Y-%m-%d-%H:%M")
"""Dagster's own names of days, months and hours."""

Latest = Callable[[str], str | None]
"""The last partition of an asset that has been written; None where none has."""


class _Ahead:
    """What is still to be followed: an asset only when all that reads it has been, so that each is followed once."""

    def __init__(self, order: Mapping[dg.AssetKey, int]) -> None:
        self._order = order
        self.keys: dict[dg.AssetKey, tuple[frozenset[str], frozenset[str]]] = {}
        """Of each asset the partitions that are read, and those whose own reads matter, too."""

    def add(self, key: dg.AssetKey, read: frozenset[str], further: bool) -> None:
        """Somebody reads these partitions."""
        before, followed = self.keys.get(key, (frozenset(), frozenset()))
        self.keys[key] = (_union(before, read), _union(followed, read) if further else followed)

    def take(self) -> tuple[dg.AssetKey, frozenset[str], frozenset[str]]:
        """The asset that nothing left to follow reads."""
        key = max(self.keys, key=self._order.__getitem__)
        return (key, *self.keys.pop(key))


def _union(left: frozenset[str], right: frozenset[str]) -> frozenset[str]:
    """The union; one of the two itself where it holds the other, which is most of the time."""
    if left is right or right <= left:
        return left
    return right if left <= right else left | right


class GatePlan:
    """What every asset of one code location reads."""

    def __init__(self, graph: AssetGraph) -> None:
        self._graph = graph
        self._stretches: dict[tuple[dg.PartitionsDefinition | None, frozenset[str]], list[tuple[str, ...]]] = {}
        self._known: set[tuple[dg.PartitionsDefinition, str]] = set()
        self._sames: dict[tuple[dg.AssetKey, dg.AssetKey], bool] = {}
        self._ranges: dict[tuple[dg.PartitionsDefinition, str, str], tuple[str, ...]] = {}

    def reads(self, made: Iterable[dg.AssetKey]) -> bool:
        """Whether a step that makes these assets reads anything that another one makes, or it made earlier."""
        own = frozenset(made)
        edges = ((child, parent) for child in own for parent in self._graph.get(child).parent_keys)
        return any(self._reads_own_earlier(key) for key in own) or any(
            self._reads.get((child, parent)) != NOTHING and (parent not in own or self._beyond(child, parent))
            for child, parent in edges
        )

    def needs(self, made: Iterable[dg.AssetKey], partitions: Iterable[str], latest: Latest) -> list[Need]:
        """What a step that makes these assets for these partitions (none: unpartitioned) will read, by asset.

        What the step itself makes for the same partitions is not read from the warehouse and not needed.
        """
        own, keys = frozenset(made), frozenset(partitions) or frozenset([UNPARTITIONED])
        wanted: dict[dg.AssetKey, frozenset[str]] = {}
        followed: dict[dg.AssetKey, frozenset[str]] = {}
        with partition_loading_context():
            ahead = _Ahead(self._order)
            for key in own:
                if self._reads_own_earlier(key) and keys != {UNPARTITIONED}:
                    ahead.add(key, self._up_to(key, keys) - keys, further=True)
                for found in self._parents(key, keys, latest):
                    ahead.add(*found)
            while ahead.keys:
                key, read, follow = ahead.take()
                if self._reads_own_earlier(key):
                    read, follow = self._up_to(key, read), self._up_to(key, follow)
                if key in own:
                    read, follow = read - keys, follow - keys
                wanted[key] = _union(wanted.get(key, frozenset()), read)
                fresh = follow - followed.get(key, frozenset())
                if fresh:
                    followed[key] = _union(followed.get(key, frozenset()), fresh)
                    for found in self._parents(key, fresh, latest):
                        ahead.add(*found)
            return [
                Need(".".join(key.path), run, self._checks[key])
                for key, read in sorted(wanted.items(), key=lambda item: item[0].to_user_string())
                if self._checks.get(key)
                for run in self.stretches(".".join(key.path), read)
            ]

    def same_partition_edges(self, assets: Collection[str]) -> list[tuple[str, str]]:
        """`(child, parent)` of these assets where a partition of the child is computed from that of the same name.

        Left out is what only comes before, what is read as written, and parents without partitions: the bulk history
        may be landed anew without every night having to be. So are months and later nights, see `gaps._overtaken`.
        """
        known = {address: dg.AssetKey(address.split(".")) for address in assets}
        return [
            (address, ".".join(parent.path))
            for address, child in sorted(known.items())
            for parent in sorted(self._graph.get(child).parent_keys)
            if parent != child
            and ".".join(parent.path) in known
            and self._graph.get(parent).partitions_def is not None
            and self._reads.get((child, parent)) not in (NOTHING, AS_WRITTEN)
            and self._same(child, parent)
        ]

    def needs_of(self, asset: str, partitions: Iterable[str], latest: Latest) -> list[Need]:
        """What a step that makes one asset, `schema.table`, alone will read."""
        return self.needs([dg.AssetKey(asset.split("."))], partitions, latest)

    @cached_property
    def _order(self) -> Mapping[dg.AssetKey, int]:
        return {key: number for number, key in enumerate(self._graph.toposorted_asset_keys)}

    @cached_property
    def addresses(self) -> tuple[str, ...]:
        """Every asset, those that are read before those that read them."""
        return tuple(".".join(key.path) for key in self._graph.toposorted_asset_keys)

    def has_partition(self, asset: str, key: str) -> bool:
        """Whether an asset has a partition of that name; '' for one without partitions."""
        partitions = self.partitions_of(asset)
        return key == UNPARTITIONED if partitions is None else partitions.has_partition_key(key)

    def partitions_of(self, asset: str) -> dg.PartitionsDefinition | None:
        """The partitions of an asset; None where it has none."""
        return self._graph.get(dg.AssetKey(asset.split("."))).partitions_def

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
        partitions = self.partitions_of(asset)
        wanted = frozenset(keys)
        known = self._stretches.get((partitions, wanted))
        if known is None:
            known = self._stretches[(partitions, wanted)] = self._cut(partitions, wanted)
        return known

    def _cut(self, partitions: dg.PartitionsDefinition | None, wanted: frozenset[str]) -> list[tuple[str, ...]]:
        if len(wanted) < 2 or partitions is None or not _in_order_of_time(partitions):
            return [(key,) for key in sorted(wanted)]
        if not all(self._exists(partitions, end) for end in (min(wanted), max(wanted))):
            return [(key,) for key in sorted(wanted)]
        found: list[list[str]] = []
        before: str | None = None
        for key in self._range(partitions, min(wanted), max(wanted)):
            if key in wanted:
                if before in wanted:
                    found[-1].append(key)
                else:
                    found.append([key])
            before = key
        # Keys that the calendar does not have can have no verdict either; they stand alone, to be missed.
        strangers = wanted.difference(*found)
        return [*map(tuple, found), *((key,) for key in sorted(strangers))]

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
    ) -> list[tuple[dg.AssetKey, frozenset[str], bool]]:
        """Parents, the partitions of each that are read for `keys`, and whether its own parents matter, too."""
        found = []
        for parent in self._graph.get(child).parent_keys:
            reads = self._reads.get((child, parent))
            if reads == NOTHING:
                continue
            read = self._mapped(child, parent, keys, latest)
            found.append((parent, self._up_to(parent, read) if reads == UP_TO else read, reads != AS_WRITTEN))
        return found

    def _same(self, child: dg.AssetKey, parent: dg.AssetKey) -> bool:
        """Whether a partition of the child reads the partition of that name of the parent, and no other: kept."""
        known = self._sames.get((child, parent))
        if known is None:
            known = self._sames[(child, parent)] = self._is_same(child, parent)
        return known

    def _is_same(self, child: dg.AssetKey, parent: dg.AssetKey) -> bool:
        above, below = self._graph.get(parent).partitions_def, self._graph.get(child).partitions_def
        mapping = self._graph.get_partition_mapping(child, parent)
        same = above is None or mapping in (dg.IdentityPartitionMapping(), dg.TimeWindowPartitionMapping())
        return above == below and same

    def _beyond(self, child: dg.AssetKey, parent: dg.AssetKey) -> bool:
        """Whether a partition of the child reads others of the parent than the one of its own name."""
        return self._reads.get((child, parent)) == UP_TO or not self._same(child, parent)

    def _mapped(self, child: dg.AssetKey, parent: dg.AssetKey, keys: frozenset[str], latest: Latest) -> frozenset[str]:
        """The partitions of the parent that Dagster's mapping names."""
        above, below = self._graph.get(parent).partitions_def, self._graph.get(child).partitions_def
        if above is None:
            return frozenset([UNPARTITIONED])
        if self._same(child, parent):
            return keys
        mapping = self._graph.get_partition_mapping(child, parent)
        if isinstance(mapping, dg.LastPartitionMapping):
            # Dagster means the last that can be; what is read is the last that is there.
            there = latest(".".join(parent.path)) if _in_order_of_time(above) else None
            return frozenset([there or above.get_last_partition_key() or UNPARTITIONED])
        subset = None if below is None else below.subset_with_partition_keys(keys)
        result = mapping.get_upstream_mapped_partitions_result_for_partitions(subset, below, above)
        # A partition that is required and cannot exist has no verdict: it must be missed, not overlooked.
        required = result.required_but_nonexistent_subset.get_partition_keys()
        return frozenset([*result.partitions_subset.get_partition_keys(), *required])

    def _up_to(self, key: dg.AssetKey, keys: frozenset[str]) -> frozenset[str]:
        partitions = self._graph.get(key).partitions_def
        if partitions is None or not keys:
            return keys
        if _in_order_of_time(partitions) and self._exists(partitions, max(keys)):
            return keys.union(self._range(partitions, partitions.get_first_partition_key() or max(keys), max(keys)))
        every = list(partitions.get_partition_keys())
        return keys.union(every[: 1 + max((every.index(each) for each in keys if each in every), default=-1)])

    def _exists(self, partitions: dg.PartitionsDefinition, key: str) -> bool:
        """Whether the calendar has a partition; what it has it keeps."""
        if (partitions, key) not in self._known and partitions.has_partition_key(key):
            self._known.add((partitions, key))
        return (partitions, key) in self._known

    def _range(self, partitions: dg.PartitionsDefinition, first: str, last: str) -> tuple[str, ...]:
        """Keys between two that exist, which never change: kept."""
        known = self._ranges.get((partitions, first, last))
        if known is None:
            known = tuple(partitions.get_partition_keys_in_range(dg.PartitionKeyRange(first, last)))
            self._ranges[(partitions, first, last)] = known
        return known


def _in_order_of_time(partitions: dg.PartitionsDefinition) -> bool:
    """Whether the partitions' names sort as their time does, so that a stretch of them is a range of text."""
    return isinstance(partitions, dg.TimeWindowPartitionsDefinition) and partitions.fmt in SORTED_FORMATS
