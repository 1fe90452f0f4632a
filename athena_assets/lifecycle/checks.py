"""The model gate as blocking checks on `<model>.evaluation`: what is refused is never registered.

What training measured is judged by the limits of the day on which it is asked, not by those of the training: the rows
that say how it was judged then are a record.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from math import isfinite

import dagster as dg
import duckdb

from athena_assets.lifecycle.gates import Verdict, judge_figures
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.training_run import EvaluationRow, figures_of_rows
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


JUDGED = "the figures by the limits at hand"
"""Part of the rules: the first verdicts repeated those of the training, and are outdated."""


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
    rules = sha256(repr((spec.gates, CHECKS, JUDGED)).encode()).hexdigest()[:12]
    specs = [check_spec(name, key, f"{spec.name} {what}", months, rules_hash=rules) for name, what in CHECKS.items()]

    @dg.multi_asset_check(name=f"gate_{spec.name}", specs=specs, pool="warehouse")
    @step
    def gate(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
        with warehouse.write(settled=False) as connection:
            found = (
                (
                    month,
                    [
                        _outcome(spec, rules, name, [one for one in said if check_of(one.name) == name])
                        for name in CHECKS
                    ],
                )
                for month in partitions_of(context, months)
                for said in [_verdicts(connection, spec, evaluation, month)]
            )
            results = report(context, connection, evaluation, found)
        yield from results

    return gate


def _verdicts(
    connection: duckdb.DuckDBPyConnection, spec: ModelSpec, evaluation: Contract, month: str | None
) -> tuple[Verdict, ...]:
    """Every gate's verdict by today's limits; none where nothing was measured."""
    rows: list[EvaluationRow] = connection.execute(
        f"SELECT section, name, slice, value, low, high, words FROM {evaluation.address}"
        " WHERE month = CAST($month AS DATE) ORDER BY section, name, slice",
        {"month": month},
    ).fetchall()
    return judge_figures(figures_of_rows(rows), spec.gates) if rows else ()


def _outcome(spec: ModelSpec, rules: str, name: str, verdicts: Sequence[Verdict]) -> Outcome:
    refused = [one for one in verdicts if not one.passed]
    # Groups may all be too small to tell; every other kind of gate has a verdict or was not evaluated.
    optional = name == "slices" or (name == "baselines" and not spec.gates.not_worse_than_baselines)
    evaluated = bool(verdicts) or optional
    words = "; ".join(f"{one.name}: {one.words}" for one in (refused or verdicts))
    missing = Evaluation(
        name, f"{name}.evaluated", "ERROR", "failed", "the evaluation holds no verdict of this kind",
        None, None, None, "none", "one", 0,
    )  # fmt: skip
    return Outcome(
        check=name,
        severity="ERROR",
        rules_hash=rules,
        passed=evaluated and not refused,
        evaluations=tuple(map(_evaluation, verdicts)) if evaluated else (missing,),
        said=words if evaluated else missing.description,
        metadata={
            one.name: dg.MetadataValue.json({"found": one.found if isfinite(one.found) else None, "limit": one.limit})
            for one in verdicts
        },
    )


def _evaluation(verdict: Verdict) -> Evaluation:
    return Evaluation(
        check=check_of(verdict.name),
        rule=verdict.name,
        severity="ERROR",
        status="passed" if verdict.passed else "failed",
        description=verdict.words,
        figure=verdict.found,
        low=verdict.limit,
        high=None,
        found=f"{verdict.found:.4g}",
        allowed=f"{verdict.limit:.4g}",
        rows=1,
    )
