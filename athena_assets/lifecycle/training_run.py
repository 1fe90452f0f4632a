"""One training of one model, from its labelled snapshots to files on disk and rows for the warehouse."""

import json
import math
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from athena_assets.features.compiler import CONTEXT
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.artifact import Artifact, write_artifact
from athena_assets.lifecycle.dataset import InvalidTrainingData, dataset_of
from athena_assets.lifecycle.gates import Figures, Packaging, Verdict, judge
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.profile import profile_of
from athena_assets.lifecycle.scoring import measure_packaging
from athena_assets.lifecycle.training import Judged, TrainedModel, train

if TYPE_CHECKING:
    import pyarrow as pa

LIFECYCLE = Path(__file__).parent
ARTIFACT = "artifact"
REPORT = "report.json"
FEATURE_VERSION = "feature_version"
"""Manifest entry: version of the model's own features, which scoring compares with the code at hand."""

GATE = "gate"
PASSED, REFUSED = "passed", "refused"
DIFFERENCE = ".auc_difference"
"""Ending of the row that says how a version compares with a baseline."""

EvaluationRow = tuple[str, str, str, float | None, float | None, float | None, str | None]
"""(section, name, slice, value, low, high, words) of `<model>.evaluation`."""


@dataclass(frozen=True)
class TrainingRun:
    """What one training left in its folder, and what it says about itself."""

    trained: TrainedModel
    artifact: Artifact
    packaging: Packaging
    verdicts: tuple[Verdict, ...]

    @property
    def judged(self) -> Judged:
        """The out-of-time evaluation."""
        return self.trained.judged

    def evaluation_rows(self) -> list[EvaluationRow]:
        """Metrics, baselines, slices, trials and verdicts as flat rows."""
        return [*report_rows(self.judged), *(_verdict_row(verdict) for verdict in self.verdicts)]


def report_rows(judged: Judged) -> list[EvaluationRow]:
    """The report and the search behind it as flat rows."""
    words = {f"{result.name}{DIFFERENCE}": result.words for result in judged.report.baselines}
    rows: list[EvaluationRow] = [
        (
            str(row["section"]),
            str(row["name"]),
            str(row["slice"]),
            _number(row["value"]),
            _number(row["low"]),
            _number(row["high"]),
            words.get(str(row["name"])),
        )
        for row in judged.report.rows()
    ]
    rows += [
        ("search", f"trial_{trial.number:02d}", "all", trial.mean_auc, None, None, json.dumps(trial.parameters))
        for trial in judged.search.trials
        if trial.auc_by_snapshot
    ]
    return rows


def figures_of_rows(rows: Sequence[EvaluationRow]) -> Figures:
    """What the rows of an evaluation say was measured, so that it can be judged by other limits than when it was.

    A figure that is not among them is NaN.
    """
    said = {(section, name): words or "" for section, name, _, _, _, _, words in rows}
    by_section: dict[str, dict[tuple[str, str], float]] = defaultdict(dict)
    for section, name, group, value, *_ in rows:
        by_section[section][name, group] = math.nan if value is None else value
    packaging = {name: value for (name, _), value in by_section[GATE].items()}
    groups = by_section["slice"]
    return Figures(
        metrics={name: value for (name, _), value in by_section["metric"].items()},
        latency_ms=packaging.get("latency_ms", math.nan),
        size_mb=packaging.get("size_mb", math.nan),
        baselines=tuple(
            (name.removesuffix(DIFFERENCE), value, said["baseline", name])
            for (name, _), value in by_section["baseline"].items()
            if name.endswith(DIFFERENCE)
        ),
        groups=tuple(
            (group.replace(": ", ".", 1), groups.get(("customers", group), math.inf), value)
            for (name, group), value in groups.items()
            if name == "auc"
        ),
    )


def run_training(spec: ModelSpec, feature_set: FeatureSet, table: "pa.Table", folder: Path) -> TrainingRun:
    """Train, judge, refit, write the artifact and the report to `folder`, replacing what an earlier run left there.

    feature_set: the model's own features, in its order. table: `as_of, customer_id, label` and those features.
    Raises `NotEnoughHistory`, `InvalidTrainingData`, `PortableModelDiffers`.
    """
    data = dataset_of(table, feature_set.columns)
    try:
        trained = train(spec, data)
    except np.linalg.LinAlgError as error:
        raise InvalidTrainingData(
            f"{spec.name} cannot be fitted on these {len(data):,} rows",
            expected="enough customers of both outcomes, and features that differ between them",
            found=f"{int(data.label.sum()):,} of them with the outcome; {error}",
            next_command="load a longer history or more customers",
        ) from error
    newest = data.at(trained.plan.evaluation)
    shutil.rmtree(folder, ignore_errors=True)
    artifact = write_artifact(
        folder / ARTIFACT,
        trained.model,
        _facts(spec, feature_set, trained),
        newest.matrix,
        profile=profile_of(
            data.at(*trained.plan.refit), drifting_features(feature_set), threads=spec.algorithm.threads
        ),
    )
    packaging = measure_packaging(artifact, newest.matrix)
    verdicts = judge(trained.judged.report, packaging, spec.gates)
    run = TrainingRun(trained, artifact, packaging, verdicts)
    report = {
        "report": trained.judged.report.as_dict(),
        "trials": [asdict(trial) for trial in trained.judged.search.trials],
        "verdicts": [asdict(verdict) for verdict in verdicts],
        "packaging": asdict(packaging),
    }
    (folder / REPORT).write_text(json.dumps(report, indent=1, default=str) + "\n", encoding="utf-8")
    return run


def drifting_features(feature_set: FeatureSet) -> tuple[str, ...]:
    """The features whose distribution can move: not those of the context, which are one value for a whole night."""
    return tuple(name for name in feature_set.columns if feature_set.by_name[name].table != CONTEXT)


def code_version(spec: ModelSpec) -> str:
    """Twelve hexadecimal digits that change with any file that training runs: the model's folder and the lifecycle."""
    digest = sha256()
    for path in sorted([*spec.folder.glob("*"), *LIFECYCLE.glob("*.py")]):
        if path.is_file() and path.name != "assets.py":
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _facts(spec: ModelSpec, feature_set: FeatureSet, trained: TrainedModel) -> dict[str, object]:
    report = trained.judged.report
    return {
        "model": spec.name,
        "horizon_days": spec.horizon_days,
        "feature_types": feature_set.types,
        FEATURE_VERSION: feature_set.version,
        "training_snapshots": _days(trained.plan.refit),
        "judged_on": f"{trained.plan.evaluation:%Y-%m-%d}",
        "judged_trained_on": _days(trained.plan.training),
        "data_sha256": trained.data_sha256,
        "code_version": code_version(spec),
        "metrics": {name: estimate.value for name, estimate in report.metrics.items()},
        "baselines": {baseline.name: baseline.auc.value for baseline in report.baselines},
        "risk_tiers": spec.risk_tiers,
    }


def _days(days: Sequence[object]) -> list[str]:
    return [f"{day:%Y-%m-%d}" for day in days]


def _verdict_row(verdict: Verdict) -> EvaluationRow:
    state = PASSED if verdict.passed else REFUSED
    return (GATE, verdict.name, state, verdict.found, verdict.limit, None, verdict.words)


def _number(value: str | float | None) -> float | None:
    return None if value is None else float(value)
