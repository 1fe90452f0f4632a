"""Automation with the gate's own meaning: nothing is requested that the gate would refuse.

Dagster's `all_deps_blocking_checks_passed()` asks Dagster's records, of direct parents only: a run over a range of
partitions leaves no evaluation there, a warning counts as a failure, and an override is not known. So the condition
asks the verdicts, per partition, exactly as the gate does when the step begins.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import dagster as dg

from resources.warehouse import WarehouseLocked

MayCompute = Callable[[Sequence[dg.AssetKey], Sequence[str], datetime], bool]
"""Whether the gate would let a step compute these assets for these partitions at a moment (naive UTC)."""


class Verified(dg.AutomationCondition[dg.AssetKey]):
    """True for the partitions that the gate would let compute now."""

    def __init__(self, may_compute: MayCompute) -> None:
        self._may_compute = may_compute

    @property
    def name(self) -> str:
        """Its name in the UI."""
        return "verified_upstream"

    @property
    def description(self) -> str:
        """What the UI says it means."""
        return "Every blocking check of every ancestor has passed for what would be read"

    def evaluate(self, context: dg.AutomationContext[dg.AssetKey]) -> dg.AutomationResult[dg.AssetKey]:
        """Narrow the candidates to what may compute."""
        verified = context.get_empty_subset()
        if not context.candidate_subset.is_empty:
            partitions = context.partitions_def
            if partitions is not None:
                keys = self._verified(context, sorted(context.candidate_subset.expensively_compute_partition_keys()))
                verified = context.asset_graph_view.get_subset_from_partition_keys(context.key, partitions, keys)
            elif self._may(context, ()):
                verified = context.candidate_subset
        return dg.AutomationResult(context=context, true_subset=verified)

    def _verified(self, context: dg.AutomationContext[dg.AssetKey], keys: Sequence[str]) -> set[str]:
        # One look is enough when all is well.
        return set(keys) if self._may(context, keys) else {key for key in keys if self._may(context, [key])}

    def _may(self, context: dg.AutomationContext[dg.AssetKey], partitions: Sequence[str]) -> bool:
        made = sorted(context.asset_graph.get(context.key).execution_set_asset_keys)
        at = context.evaluation_time.astimezone(UTC).replace(tzinfo=None)
        try:
            return self._may_compute(made, partitions, at)
        except WarehouseLocked:
            # A run holds it. Nothing is requested now; what was asked for is asked for again at the next look.
            return False


def only_verified(assets: dg.AssetsDefinition, may_compute: MayCompute) -> dg.AssetsDefinition:
    """The same assets; those that are requested by a condition are requested only for what may compute."""

    def narrowed(spec: dg.AssetSpec) -> dg.AssetSpec:
        condition = spec.automation_condition
        if condition is None:
            return spec
        return spec.replace_attributes(automation_condition=condition & Verified(may_compute))

    return assets.map_asset_specs(narrowed)
