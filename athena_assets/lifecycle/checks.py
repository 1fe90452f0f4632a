"""The model gate as blocking checks on `<model>.evaluation`: what is refused is never registered."""

from collections.abc import Iterator, Sequence
from hashlib import sha256

import dagster as dg
import duckdb

from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.training_run import GATE, PASSED
from checks.blocking import check_spec, partitions_of
from checks.contract import Contract
from checks.reporting import Outcome, report
from checks.verdicts import Evaluation
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
    rules = sha256(repr((spec.gates, CHECKS)).encode()).hexdigest()[:12]
    specs = [check_spec(name, key, f"{spec.name} {what}", months, rules_hash=rules) for name, what in CHECKS.items()]

    @dg.multi_asset_check(name=f"gate_{spec.name}", specs=specs, pool="warehouse")
    @step
    def gate(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
        with warehouse.write() as connection:
            found = (
                (
                    month,
                    [_outcome(spec, rules, name, [row for row in rows if check_of(row[0]) == name]) for name in CHECKS],
                )
                for month in partitions_of(context, months)
                for rows in [_verdicts(connection, evaluation, month)]
            )
            results = report(context, connection, evaluation, found)
        yield from results

    return gate


GateRow = tuple[str, str, float | None, float | None, str]
"""Gate, state, figure, limit, words."""


def _verdicts(connection: duckdb.DuckDBPyConnection, evaluation: Contract, month: str | None) -> list[GateRow]:
    return connection.execute(
        f"SELECT name, slice, value, low, words FROM {evaluation.address}"
        " WHERE month = CAST($month AS DATE) AND section = $gate ORDER BY name",
        {"month": month, "gate": GATE},
    ).fetchall()


def _outcome(spec: ModelSpec, rules: str, name: str, rows: Sequence[GateRow]) -> Outcome:
    refused = [row for row in rows if row[1] != PASSED]
    # Groups may all be too small to tell; every other kind of gate has a verdict or was not evaluated.
    optional = name == "slices" or (name == "baselines" and not spec.gates.not_worse_than_baselines)
    evaluated = bool(rows) or optional
    words = "; ".join(f"{row[0]}: {row[4]}" for row in (refused or rows))
    missing = Evaluation(
        name, f"{name}.evaluated", "ERROR", "failed", "the evaluation holds no verdict of this kind",
        None, None, None, "none", "one", 0,
    )  # fmt: skip
    return Outcome(
        check=name,
        severity="ERROR",
        rules_hash=rules,
        passed=evaluated and not refused,
        evaluations=tuple(map(_evaluation, rows)) if evaluated else (missing,),
        said=words if evaluated else missing.description,
        metadata={row[0]: dg.MetadataValue.json({"found": row[2], "limit": row[3]}) for row in rows},
    )


def _evaluation(row: GateRow) -> Evaluation:
    gate, state, value, limit, words = row
    return Evaluation(
        check=check_of(gate),
        rule=gate,
        severity="ERROR",
        status="passed" if state == PASSED else "failed",
        description=words,
        figure=value,
        low=limit,
        high=None,
        found="–" if value is None else f"{value:.4g}",
        allowed="–" if limit is None else f"{limit:.4g}",
        rows=1,
    )
