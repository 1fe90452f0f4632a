"""What a version must reach before it is registered: a pure function of its evaluation and its packaging."""

from dataclasses import dataclass

from athena_assets.lifecycle.evaluation import EvaluationReport
from athena_assets.lifecycle.model_spec import GateLimits


@dataclass(frozen=True)
class Packaging:
    """What the written artifact is like."""

    size_bytes: int
    latency_p50_ms: float
    latency_p99_ms: float
    """Single row, one thread, onnxruntime."""
    largest_difference: float
    """Between native and portable probabilities, absolute."""


@dataclass(frozen=True)
class Verdict:
    """One gate's answer."""

    name: str
    limit: float
    found: float
    passed: bool
    words: str


def judge(report: EvaluationReport, packaging: Packaging, limits: GateLimits) -> tuple[Verdict, ...]:
    """Every gate's verdict, passed or not; the version is fit only if all passed."""
    metrics = report.metrics
    verdicts = [
        _at_least("auc", limits.minimum_auc, metrics["auc"].value, "ranks customers"),
        _at_most("brier", limits.maximum_brier, metrics["brier"].value, "mean squared error of the probability"),
        _at_most(
            "calibration_error",
            limits.maximum_calibration_error,
            metrics["calibration_error"].value,
            "probability against outcome in ten bins",
        ),
        _at_most(
            "level_error",
            limits.maximum_level_error,
            abs(metrics["level_error"].value),
            "mean probability against the share that happened",
        ),
        _at_most("latency_ms", limits.maximum_latency_ms, packaging.latency_p99_ms, "one row, 99th percentile"),
        _at_most("size_mb", limits.maximum_size_mb, packaging.size_bytes / 1_000_000, "all files of the artifact"),
    ]
    if limits.not_worse_than_baselines:
        for baseline in report.baselines:
            found = baseline.difference.value
            words = baseline.words if found >= 0 else f"refused: {baseline.words}"
            verdicts.append(Verdict(f"not_worse_than.{baseline.name}", 0.0, found, found >= 0, words))
    for group in report.slices:
        # Too few customers to tell: reported with its interval, not judged.
        if group.auc is None or group.customers < limits.slices.minimum_customers:
            continue
        verdicts.append(
            _at_least(
                f"slice.{group.slice}.{group.band}",
                limits.slices.minimum_auc,
                group.auc.value,
                f"AUC among {group.customers:,} customers",
            )
        )
    return tuple(verdicts)


def refused(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """The verdicts that stop a version."""
    return tuple(verdict for verdict in verdicts if not verdict.passed)


def _at_least(name: str, limit: float, found: float, meaning: str) -> Verdict:
    # A comparison with NaN is false, so what could not be computed does not pass.
    return Verdict(name, limit, found, found >= limit, f"{meaning}: {found:.4g}, at least {limit:g} wanted")


def _at_most(name: str, limit: float, found: float, meaning: str) -> Verdict:
    return Verdict(name, limit, found, found <= limit, f"{meaning}: {found:.4g}, at most {limit:g} wanted")
