"""What a model is worth on a snapshot it has not seen: with intervals, beside its baselines, group by group."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from athena_assets.lifecycle.baselines import Baseline
from athena_assets.lifecycle.dataset import Dataset, FloatArray
from athena_assets.lifecycle.fitted import FittedModel
from athena_assets.lifecycle.metrics import (
    Estimate,
    auc_difference,
    auc_estimate,
    average_precision,
    bootstrap,
    brier,
    calibration_error,
    in_words,
    level_error,
    lift_at,
)
from athena_assets.lifecycle.model_spec import ModelSpec, SliceSpec

REPLICATES = 200
_RESAMPLED_ROWS = 20_000_000
_FEWEST_REPLICATES = 40


@dataclass(frozen=True)
class BaselineResult:
    """A baseline on the same rows, and the model's AUC minus its own."""

    name: str
    auc: Estimate
    brier: float
    calibration_error: float
    difference: Estimate
    words: str


@dataclass(frozen=True)
class SliceResult:
    """One group of customers; `auc` is None where the group has too few of one outcome for an interval."""

    slice: str
    band: str
    customers: int
    label_rate: float | None
    mean_probability: float | None
    auc: Estimate | None


@dataclass(frozen=True)
class EvaluationReport:
    """An out-of-time evaluation. `metrics` holds auc, average_precision, brier, calibration_error, level_error,
    lift."""

    model: str
    evaluation: datetime
    training: tuple[datetime, ...]
    customers: int
    label_rate: float
    mean_probability: float
    metrics: dict[str, Estimate]
    baselines: tuple[BaselineResult, ...]
    slices: tuple[SliceResult, ...]

    def as_dict(self) -> dict[str, object]:
        """JSON-serialisable; days as `YYYY-MM-DD`."""
        return {
            **asdict(self),
            "evaluation": f"{self.evaluation:%Y-%m-%d}",
            "training": [f"{day:%Y-%m-%d}" for day in self.training],
        }

    def rows(self) -> list[dict[str, str | float | None]]:
        """Flat rows (section, name, slice, value, low, high); low and high are None where there is no interval."""

        def row(section: str, name: str, group: str, value: float | Estimate) -> dict[str, str | float | None]:
            if isinstance(value, Estimate):
                found: tuple[float, float | None, float | None] = (value.value, value.low, value.high)
            else:
                found = (float(value), None, None)
            return dict(
                zip(("section", "name", "slice", "value", "low", "high"), (section, name, group, *found), strict=True)
            )

        rows = [
            row("population", "customers", "all", self.customers),
            row("population", "label_rate", "all", self.label_rate),
            row("population", "mean_probability", "all", self.mean_probability),
        ]
        rows += [row("metric", name, "all", estimate) for name, estimate in self.metrics.items()]
        for result in self.baselines:
            rows += [
                row("baseline", f"{result.name}.auc", "all", result.auc),
                row("baseline", f"{result.name}.brier", "all", result.brier),
                row("baseline", f"{result.name}.calibration_error", "all", result.calibration_error),
                row("baseline", f"{result.name}.auc_difference", "all", result.difference),
            ]
        for group in self.slices:
            name = f"{group.slice}: {group.band}"
            rows.append(row("slice", "customers", name, group.customers))
            if group.label_rate is not None and group.mean_probability is not None:
                rows.append(row("slice", "label_rate", name, group.label_rate))
                rows.append(row("slice", "mean_probability", name, group.mean_probability))
            if group.auc is not None:
                rows.append(row("slice", "auc", name, group.auc))
        return rows


def evaluate(
    model: FittedModel,
    baselines: tuple[Baseline, ...],
    held_out: Dataset,
    spec: ModelSpec,
    *,
    training: tuple[datetime, ...],
) -> EvaluationReport:
    """Judge the model on one held-out snapshot."""
    label = held_out.label
    probability = model.probability(held_out.matrix)
    capacity = min(spec.retention_capacity, len(label))
    resampled: dict[str, Callable[[FloatArray, FloatArray], float]] = {
        "average_precision": average_precision,
        "brier": brier,
        "calibration_error": calibration_error,
        "level_error": level_error,
        "lift_at_capacity": lambda y, p: lift_at(y, p, capacity),
    }
    replicates = max(_FEWEST_REPLICATES, min(REPLICATES, _RESAMPLED_ROWS // len(label)))
    estimates = bootstrap(
        label,
        probability,
        resampled,
        seed=spec.algorithm.seed,
        replicates=replicates,
        threads=spec.algorithm.threads,
    )
    return EvaluationReport(
        model=spec.name,
        evaluation=held_out.snapshots[0],
        training=training,
        customers=len(label),
        label_rate=float(label.mean()),
        mean_probability=float(probability.mean()),
        metrics={"auc": auc_estimate(label, probability), **estimates},
        baselines=tuple(_against(baseline, held_out, probability) for baseline in baselines),
        slices=tuple(result for slice_spec in spec.slices for result in _slices(slice_spec, held_out, probability)),
    )


def _against(baseline: Baseline, held_out: Dataset, probability: FloatArray) -> BaselineResult:
    own = baseline.probability(held_out.matrix)
    difference = auc_difference(held_out.label, probability, own)
    return BaselineResult(
        baseline.name,
        auc_estimate(held_out.label, own),
        brier(held_out.label, own),
        calibration_error(held_out.label, own),
        difference,
        in_words(difference, than=baseline.name),
    )


def _slices(slice_spec: SliceSpec, held_out: Dataset, probability: FloatArray) -> list[SliceResult]:
    if slice_spec.feature not in held_out.features:
        # The source cannot fill the feature, so the groups do not exist; the feature table says why.
        return []
    values = held_out.column(slice_spec.feature)
    bands: dict[str, NDArray[np.bool_]] = {
        band: (values >= (-np.inf if low is None else low)) & (values < (np.inf if high is None else high))
        for band, (low, high) in slice_spec.bands.items()
    }
    if np.isnan(values).any():
        bands["not known"] = np.isnan(values)
    return [_slice(slice_spec.name, band, held_out.label[rows], probability[rows]) for band, rows in bands.items()]


def _slice(name: str, band: str, label: FloatArray, probability: FloatArray) -> SliceResult:
    if not len(label):
        return SliceResult(name, band, 0, None, None, None)
    enough = min(label.sum(), len(label) - label.sum()) >= 2
    return SliceResult(
        name,
        band,
        len(label),
        float(label.mean()),
        float(probability.mean()),
        auc_estimate(label, probability) if enough else None,
    )


def auc_by_name(report: EvaluationReport) -> Mapping[str, float]:
    """AUC of the model and of each baseline, for a line of text."""
    return {report.model: report.metrics["auc"].value, **{one.name: one.auc.value for one in report.baselines}}
