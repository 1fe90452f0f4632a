"""From labelled snapshots to a judged model: search, fit, evaluate out of time, refit.

Two models come out of a training. The *judged* one saw only snapshots whose labels were complete before the held-out
snapshot began; its figures are the honest ones. The *refit* one, with the same parameters and slope, saw every complete
snapshot including the held-out one; it goes to production, because the freshest season matters most for the level.
Its own figures are not known until its labels mature, which monitoring waits for.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from athena_assets.lifecycle.baselines import fit_baselines
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.evaluation import EvaluationReport, evaluate
from athena_assets.lifecycle.fitted import FittedModel
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.recipe import Recipe, load_recipe
from athena_assets.lifecycle.search import SearchResult, search
from athena_assets.lifecycle.snapshots import SnapshotPlan, labels_complete_before, plan_snapshots


@dataclass(frozen=True)
class Judged:
    """A model fitted on the past and its evaluation on a later snapshot."""

    model: FittedModel
    search: SearchResult
    report: EvaluationReport


@dataclass(frozen=True)
class TrainedModel:
    """What a training run leaves; `model` is the refit that goes to production."""

    model: FittedModel
    judged: Judged
    plan: SnapshotPlan
    data_sha256: str


def train(spec: ModelSpec, data: Dataset, *, recipe: Recipe | None = None) -> TrainedModel:
    """Search, judge on the latest snapshot, refit on all; raises `NotEnoughHistory` and `InvalidModelSpec`."""
    spec.require(data.features)
    recipe = recipe or load_recipe(spec)
    plan = plan_snapshots(data.snapshots, horizon_days=spec.horizon_days)
    judged = _judge(spec, recipe, data.at(*plan.training), data.at(plan.evaluation))
    used = data.at(*plan.refit)
    model = recipe.fit(used, spec, judged.search.parameters, slope=judged.search.slope)
    return TrainedModel(model, judged, plan, used.sha256())


def backtest(
    spec: ModelSpec, data: Dataset, evaluations: tuple[datetime, ...], *, recipe: Recipe | None = None
) -> tuple[Judged, ...]:
    """Judge a freshly searched model at each of these snapshots, as if trained on the day it began.

    Training uses those snapshots of `data` whose labels were complete then. Raises `NotEnoughHistory`.
    """
    spec.require(data.features)
    recipe = recipe or load_recipe(spec)
    results = []
    for day in evaluations:
        past = labels_complete_before(data.snapshots, day, horizon_days=spec.horizon_days)
        plan = plan_snapshots((*past, day), horizon_days=spec.horizon_days)
        results.append(_judge(spec, recipe, data.at(*plan.training), data.at(plan.evaluation)))
    return tuple(results)


def _judge(spec: ModelSpec, recipe: Recipe, past: Dataset, held_out: Dataset) -> Judged:
    found = search(past, spec, recipe)
    model = recipe.fit(past, spec, found.parameters, slope=found.slope)
    report = evaluate(model, fit_baselines(past, spec), held_out, spec, training=past.snapshots)
    return Judged(replace(model, notes={**model.notes, "trials": len(found.trials)}), found, report)
