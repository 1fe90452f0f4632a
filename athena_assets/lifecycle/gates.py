"""What a version must reach before it is registered: a pure function of its evaluation and its packaging."""

import math
from collections.abc import Mapping
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
class Figures:
    """What was measured of a version, whatever the limits are; NaN is a figure that is not there, and passes none.

    baselines: name, AUC of the version minus its own, that in words. groups: `slice.band`, customers, AUC.
    """

    metrics: Mapping[str, float]
    latency_ms: float
    size_mb: float
    baselines: tuple[tuple[str, float, str], ...]
    groups: tuple[tuple[str, float, float], ...]

    @classmethod
    def of(cls, report: EvaluationReport, packaging: Packaging) -> "Figures":
        """The figures of an evaluation and of the artifact as written."""
        return cls(
            metrics={name: estimate.value for name, estimate in report.metrics.items()},
            latency_ms=packaging.latency_p99_ms,
            size_mb=packaging.size_bytes / 1_000_000,
            baselines=tuple((each.name, each.difference.value, each.words) for each in report.baselines),
            groups=tuple(
                (f"{each.slice}.{each.band}", each.customers, each.auc.value)
                for each in report.slices
                if each.auc is not None
            ),
        )


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
    return judge_figures(Figures.of(report, packaging), limits)


def judge_figures(figures: Figures, limits: GateLimits) -> tuple[Verdict, ...]:
    """See `judge`: the same figures by any limits, also long after they were measured."""
    error, level = (figures.metrics.get(name, math.nan) for name in ("calibration_error", "level_error"))
    verdicts = [
        _at_least("auc", limits.minimum_auc, figures.metrics.get("auc", math.nan), "ranks customers"),
        _at_most(
            "brier",
            limits.maximum_brier,
            figures.metrics.get("brier", math.nan),
            "mean squared error of the probability",
        ),
        _at_most(
            "calibration_error", limits.maximum_calibration_error, error, "probability against outcome in ten bins"
        ),
        _at_most(
            "level_error", limits.maximum_level_error, abs(level), "mean probability against the share that happened"
        ),
        _at_most("latency_ms", limits.maximum_latency_ms, figures.latency_ms, "one row, 99th percentile"),
        _at_most("size_mb", limits.maximum_size_mb, figures.size_mb, "all files of the artifact"),
    ]
    if limits.not_worse_than_baselines:
        for name, found, said in figures.baselines:
            words = said if found >= 0 else f"refused: {said}"
            verdicts.append(Verdict(f"not_worse_than.{name}", 0.0, found, found >= 0, words))
    for name, customers, auc in figures.groups:
        # Too few customers to tell: reported with its interval, not judged.
        if customers >= limits.slices.minimum_customers:
            words = f"AUC among {customers:,.0f} customers"
            verdicts.append(_at_least(f"slice.{name}", limits.slices.minimum_auc, auc, words))
    return tuple(verdicts)


def refused(verdicts: tuple[Verdict, ...]) -> tuple[Verdict, ...]:
    """The verdicts that stop a version."""
    return tuple(verdict for verdict in verdicts if not verdict.passed)


def _at_least(name: str, limit: float, found: float, meaning: str) -> Verdict:
    # A comparison with NaN is false, so what could not be computed does not pass.
    return Verdict(name, limit, found, found >= limit, f"{meaning}: {found:.4g}, at least {limit:g} wanted")


def _at_most(name: str, limit: float, found: float, meaning: str) -> Verdict:
    return Verdict(name, limit, found, found <= limit, f"{meaning}: {found:.4g}, at most {limit:g} wanted")
