"""How a check is declared: blocking and ERROR, or informing and WARN, and partitioned as its asset is."""

import warnings

import dagster as dg

from checks.contract import Severity

RULES_HASH = "athena/rules_hash"
"""Metadata of a check: which rules its verdict is about, so that the gate can tell an outdated verdict."""


def check_spec(
    name: str,
    key: dg.AssetKey,
    description: str,
    partitions_def: dg.PartitionsDefinition | None,
    *,
    rules_hash: str,
    severity: Severity = "ERROR",
) -> dg.AssetCheckSpec:
    """A check, partitioned as its asset is: a bad night neither blocks nor excuses another."""
    with warnings.catch_warnings():
        # In preview in the pinned Dagster; what we rely on is held by tests/assets/test_table_checks.py.
        warnings.filterwarnings("ignore", message="Specifying a partitions_def on an AssetCheckSpec")
        return dg.AssetCheckSpec(
            name,
            asset=key,
            blocking=severity == "ERROR",
            partitions_def=partitions_def,
            description=description,
            metadata={RULES_HASH: rules_hash},
        )


def partitions_of(
    context: dg.AssetCheckExecutionContext, partitions_def: dg.PartitionsDefinition | None
) -> list[str | None]:
    """The partitions that a check's run is about: one, a range, or `[None]` for a table that has none."""
    if partitions_def is None:
        return [None]
    run = context.run
    first, last = (run.tags.get(f"dagster/asset_partition_range_{end}") for end in ("start", "end"))
    if first is not None and last is not None:
        return list(partitions_def.get_partition_keys_in_range(dg.PartitionKeyRange(first, last)))
    return [context.partition_key]
