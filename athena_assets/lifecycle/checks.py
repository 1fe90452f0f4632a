"""The model gate as blocking checks on `<model>.evaluation`: what is refused is never registered."""

from collections.abc import Iterator

import dagster as dg

from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.training_run import GATE, PASSED
from checks.blocking import blocking_check
from checks.contract import Contract
from resources.steps import step
from resources.tables import key_of
from resources.warehouse import Warehouse

CHECKS = {
    "performance": "ranks well enough, on the whole",
    "baselines": "is not worse than any baseline",
    "calibration": "says probabilities that come true",
    "slices": "ranks well enough in every group that is large enough to tell",
    "deployment": "is small and fast enough",
}


def check_of(gate: str) -> str:
    """Which check a gate's verdict belongs to."""
    if gate.startswith("slice."):
        return "slices"
    if gate.startswith("not_worse_than."):
        return "baselines"
    if gate in ("brier", "calibration_error", "level_error"):
        return "calibration"
    return "deployment" if gate in ("latency_ms", "size_mb") else "performance"


def build_model_gate(
    spec: ModelSpec, evaluation: Contract, months: dg.PartitionsDefinition
) -> dg.AssetChecksDefinition:
    """Five blocking checks, one per kind of gate, each with the verdicts behind it."""
    key = key_of(evaluation)
    specs = [blocking_check(name, key, f"{spec.name} {what}", months) for name, what in CHECKS.items()]

    @dg.multi_asset_check(name=f"gate_{spec.name}", specs=specs, pool="warehouse")
    @step
    def gate(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
        with warehouse.read() as connection:
            rows = connection.execute(
                f"SELECT name, slice, value, low, words FROM {evaluation.address}"
                " WHERE month = CAST($month AS DATE) AND section = $gate ORDER BY name",
                {"month": context.partition_key, "gate": GATE},
            ).fetchall()
        for name in CHECKS:
            verdicts = [row for row in rows if check_of(row[0]) == name]
            refused = [row for row in verdicts if row[1] != PASSED]
            # Groups may all be too small to tell; every other kind of gate has a verdict or was not evaluated.
            optional = name == "slices" or (name == "baselines" and not spec.gates.not_worse_than_baselines)
            evaluated = bool(verdicts) or optional
            words = "; ".join(f"{row[0]}: {row[4]}" for row in (refused or verdicts))
            if refused:
                context.log.error("%s of %s: %s", name, evaluation.address, words)
            yield dg.AssetCheckResult(
                asset_key=key,
                check_name=name,
                passed=evaluated and not refused,
                severity=dg.AssetCheckSeverity.ERROR,
                description=words if evaluated else "the evaluation holds no verdict of this kind",
                metadata={row[0]: dg.MetadataValue.json({"found": row[2], "limit": row[3]}) for row in verdicts},
            )

    return gate
