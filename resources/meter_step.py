"""A Dagster step as the meter sees it: whose work it is, and where its figures are shown.

Dagster is imported only when a step runs, so that a command without a run does not pay for it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cost.usage import SHARED_MODEL_TAG, UNTAGGED_STAGE
from resources.measurement import Quantities, Work

if TYPE_CHECKING:
    from dagster import AssetKey, OpExecutionContext


@dataclass(frozen=True)
class Step:
    """One attempt of one step.

    produced: the assets that this attempt may materialise; empty for checks and plain ops.
    shared_by: materialisations among which a figure of the whole step is shared (assets × partitions).
    """

    context: "OpExecutionContext"
    work: Work
    produced: tuple["AssetKey", ...]
    partitions: int
    subjects: tuple[str, ...] = ()
    """Addresses (`schema.table`) of what the step makes, or checks."""
    partition_keys: tuple[str, ...] = ()

    def publish(self, used: Quantities) -> None:
        """Show what the whole step used on every asset that it makes."""
        shared_by = len(self.produced) * self.partitions
        for key in self.produced:
            self._show(key, used, shared_by)

    def publish_result(self, result: Any, lap: Quantities) -> None:
        """Show what was used since the previous result on the asset of this one."""
        import dagster as dg

        if isinstance(result, dg.MaterializeResult):
            key = result.asset_key or (self.produced[0] if len(self.produced) == 1 else None)
        elif isinstance(result, dg.Output) and self.produced:
            key = self.context.asset_key_for_output(result.output_name)
        else:
            return
        if key in self.produced:
            self._show(key, lap, self.partitions)

    def _show(self, key: "AssetKey", used: Quantities, shared_by: int) -> None:
        shown = used.metadata()
        if shared_by > 1:
            # Without it a reader would add up the same seconds once for every partition and asset.
            shown["cost/shared_by"] = shared_by
        self.context.get_step_execution_context().add_asset_metadata(metadata=shown, asset_key=key)


def of(context: Any) -> Step | None:
    """The step that `context` belongs to; None when the body was called directly, outside of a run."""
    from dagster._core.errors import DagsterInvalidPropertyError  # no public path; the tests pin it

    op: OpExecutionContext = getattr(context, "op_execution_context", context)
    try:
        step_context = op.get_step_execution_context()
    except DagsterInvalidPropertyError:
        return None
    produced = tuple(sorted(op.selected_asset_keys))
    checked = (key.asset_key for key in op.selected_asset_check_keys) if op.has_assets_def else ()
    subjects = produced or tuple(sorted(set(checked)))
    tags = _tags(op, subjects)
    partition, partitions = _partition(op)
    work = Work(
        run_id=op.run_id,
        step=step_context.step.key,
        stage=_agreed(tags, "stage") or UNTAGGED_STAGE,
        attempt=op.retry_number,
        asset_key=",".join(key.to_user_string() for key in subjects) or None,
        partition=partition,
        model=_agreed(tags, "model"),
    )
    return Step(
        op,
        work,
        produced,
        partitions,
        subjects=tuple(".".join(key.path) for key in subjects),
        partition_keys=tuple(op.partition_keys) if _partitioned(op, subjects) else (),
    )


def rows_out(result: Any) -> int | None:
    """Rows that a result says it wrote: its partition's row count, else its table's; None when it says none.

    A body that returns several results wrote the sum.
    """
    if isinstance(result, list | tuple) and not hasattr(result, "metadata"):
        counts = [count for count in map(rows_out, result) if count is not None]
        return sum(counts) if counts else None
    metadata = getattr(result, "metadata", None)
    for name in ("dagster/partition_row_count", "dagster/row_count"):
        if isinstance(metadata, dict) and name in metadata:
            count: Any = getattr(metadata[name], "value", metadata[name])
            return int(count)
    return None


def _tags(op: "OpExecutionContext", subjects: Iterable["AssetKey"]) -> list[dict[str, str]]:
    """Tags of the assets that the step makes or checks; of the op itself where there are none."""
    graph = op.job_def.asset_layer.asset_graph
    found = [dict(graph.get(key).tags) for key in subjects if graph.has(key)]
    return found or [dict(op.op_def.tags)]


def _agreed(tags: list[dict[str, str]], name: str) -> str | None:
    """The tag's value where all agree: a step that serves two models belongs to neither."""
    values = {each.get(name) for each in tags}
    value = values.pop() if len(values) == 1 else None
    return None if value == SHARED_MODEL_TAG else value


def _partitioned(op: "OpExecutionContext", subjects: Iterable["AssetKey"]) -> bool:
    """Whether what the step makes has partitions; a run of a night has a key for assets without them, too."""
    graph = op.job_def.asset_layer.asset_graph
    return any(graph.has(key) and graph.get(key).partitions_def is not None for key in subjects)


def _partition(op: "OpExecutionContext") -> tuple[str | None, int]:
    if not op.has_partition_key and not op.has_partition_key_range:
        return None, 1
    keys = op.partition_keys
    return (keys[0] if len(keys) == 1 else f"{keys[0]}...{keys[-1]}"), len(keys)
