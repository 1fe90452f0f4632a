"""Hyperparameters and calibration slope, found inside the training period and written down.

Folds go forward in time: a validation snapshot is scored by a model that saw only snapshots whose labels were
complete when it began. Trials are compared by their mean AUC within a snapshot, which no level can influence; the
declared defaults are always the first trial, and stay unless another is better.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from itertools import islice, product

import numpy as np

from athena_assets.lifecycle.dataset import Dataset, FloatArray
from athena_assets.lifecycle.linear import INTERCEPT_PENALTY
from athena_assets.lifecycle.logistic import fit_logistic
from athena_assets.lifecycle.metrics import auc
from athena_assets.lifecycle.model_spec import ModelSpec, Parameters
from athena_assets.lifecycle.recipe import Recipe
from athena_assets.lifecycle.snapshots import labels_complete_before

SLOPE_BOUNDS = (0.5, 2.0)
"""A slope beyond these says that something else is wrong; the calibration gate will show it."""


@dataclass(frozen=True)
class Trial:
    """One set of parameters and what it reached on each validation snapshot (`YYYY-MM-DD` -> AUC)."""

    number: int
    parameters: Parameters
    auc_by_snapshot: dict[str, float]

    @property
    def mean_auc(self) -> float:
        """Mean over the validation snapshots; raises where there was none."""
        return float(np.mean(list(self.auc_by_snapshot.values())))


@dataclass(frozen=True)
class SearchResult:
    """Every trial, the parameters chosen, and the slope that their out-of-time predictions asked for."""

    trials: tuple[Trial, ...]
    parameters: Parameters
    slope: float


def candidate_parameters(spec: ModelSpec) -> tuple[Parameters, ...]:
    """The defaults, then distinct random points of the space, the same for the same seed."""
    generator = np.random.default_rng(spec.algorithm.seed)
    names = sorted(spec.search.space)
    found = [dict(spec.algorithm.defaults)]
    attempts = 0
    # A small space may hold fewer points than the budget.
    while len(found) < spec.search.trials and attempts < 100 * spec.search.trials:
        attempts += 1
        point: Parameters = {
            **spec.algorithm.defaults,
            **{name: spec.search.space[name][generator.integers(len(spec.search.space[name]))] for name in names},
        }
        if point not in found:
            found.append(point)
    return tuple(found)


def forward_folds(
    snapshots: tuple[datetime, ...], *, horizon_days: int, count: int
) -> tuple[tuple[tuple[datetime, ...], datetime], ...]:
    """Up to `count` pairs (training snapshots, validation snapshot), the latest last."""
    folds = []
    for day in snapshots:
        training = labels_complete_before(snapshots, day, horizon_days=horizon_days)
        if training:
            folds.append((training, day))
    return tuple(folds[-count:])


def search(data: Dataset, spec: ModelSpec, recipe: Recipe) -> SearchResult:
    """Try every candidate on every fold of the training data, thinned to `search.maximum_rows`.

    Where the history is too short for a fold, the defaults stand, with one trial that says so by having no scores.
    """
    data = data.thinned(spec.search.maximum_rows)
    folds = [
        (data.at(*training), data.at(day))
        for training, day in forward_folds(data.snapshots, horizon_days=spec.horizon_days, count=spec.search.folds)
    ]
    if not folds:
        defaults = dict(spec.algorithm.defaults)
        return SearchResult((Trial(0, defaults, {}),), defaults, 1.0)
    trials: list[Trial] = []
    best: Trial | None = None
    best_margins: list[FloatArray] = []
    for number, (parameters, margins) in enumerate(_margins(folds, spec, recipe)):
        scores = {
            f"{validation.snapshots[0]:%Y-%m-%d}": auc(validation.label, margin)
            for (_, validation), margin in zip(folds, margins, strict=True)
        }
        trial = Trial(number, parameters, scores)
        trials.append(trial)
        if best is None or trial.mean_auc > best.mean_auc:
            best, best_margins = trial, margins
    assert best is not None
    # The last fold alone: while the record grows, features sharpen, and a slope of the early folds would flatten.
    return SearchResult(tuple(trials), best.parameters, calibration_slope(folds[-1][1].label, best_margins[-1]))


def _margins(
    folds: Sequence[tuple[Dataset, Dataset]], spec: ModelSpec, recipe: Recipe
) -> Iterator[tuple[Parameters, list[FloatArray]]]:
    """Every candidate's margins on the validation snapshot of each fold, in the order of the candidates.

    Fits share the threads, one each: none waits for another, as the threads of one fit do, above all on a busy machine.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    alone = spec.model_copy(update={"algorithm": spec.algorithm.model_copy(update={"threads": 1})})

    def of(fit: tuple[Parameters, tuple[Dataset, Dataset]]) -> FloatArray:
        parameters, (training, validation) = fit
        return recipe.fit_ranking(training, alone, parameters).margin(validation.matrix)

    candidates = candidate_parameters(spec)
    # Around all of them: each fit limits BLAS for itself too, and would give another's back what it found.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(spec.algorithm.threads) as pool:
        margins = pool.map(of, product(candidates, folds))
        for parameters in candidates:
            yield parameters, list(islice(margins, len(folds)))


def calibration_slope(label: FloatArray, margin: FloatArray) -> float:
    """Factor on the margin that fits one snapshot's outcomes best, given a free level (Cox 1958)."""
    design = np.column_stack([margin, np.ones(len(margin))])
    slope = float(fit_logistic(design, label, np.array([0.0, INTERCEPT_PENALTY]))[0])
    return float(np.clip(slope, *SLOPE_BOUNDS))


def trial_rows(result: SearchResult) -> list[Mapping[str, object]]:
    """One flat row per trial and validation snapshot, for the record."""
    return [
        {"trial": trial.number, **trial.parameters, "snapshot": day, "auc": score}
        for trial in result.trials
        for day, score in trial.auc_by_snapshot.items()
    ]
