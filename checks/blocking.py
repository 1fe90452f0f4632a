"""The one way to declare a check: blocking, ERROR, and partitioned as its asset is."""

import warnings

import dagster as dg


def blocking_check(
    name: str, key: dg.AssetKey, description: str, partitions_def: dg.PartitionsDefinition | None
) -> dg.AssetCheckSpec:
    """A blocking check, partitioned as its asset is: a bad night neither blocks nor excuses another."""
    with warnings.catch_warnings():
        # In preview in the pinned Dagster; what we rely on is held by tests/assets/test_table_checks.py.
        warnings.filterwarnings("ignore", message="Specifying a partitions_def on an AssetCheckSpec")
        return dg.AssetCheckSpec(name, asset=key, blocking=True, partitions_def=partitions_def, description=description)
