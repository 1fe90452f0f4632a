"""How churn is fitted: half a ridge logistic regression on log features, half boosted trees, and the season's level.

On eight development snapshots the trees alone and the regression alone were within 0.001 AUC of each other and their
mean was 0.001 to 0.002 above both (docs/benchmarks.md): they err on different customers. Both are fitted with one
intercept per snapshot; without it the trees spend their splits on telling the snapshots apart and lose 0.01 AUC.
"""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from athena_assets.lifecycle.dataset import Dataset, FloatArray
from athena_assets.lifecycle.fitted import FittedModel, Ranking, fitted_model
from athena_assets.lifecycle.linear import LinearPart, fit_linear
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.season import fit_level_model, standardise
from athena_assets.lifecycle.trees import fit_trees

NOT_FOR_TREES = frozenset({"l2", "tree_share"})

_linear_parts: "WeakKeyDictionary[Dataset, dict[tuple[float, bytes], tuple[LinearPart, FloatArray]]]"
_linear_parts = WeakKeyDictionary()


def fit_ranking(data: Dataset, spec: ModelSpec, parameters: Mapping[str, float | int]) -> Ranking:
    """Who is more likely than whom; parameters: `l2`, `tree_share` (0 to 1), `rounds`, and XGBoost's own."""
    columns = _ranking_columns(data, spec)
    linear, intercepts = _linear_part(data, columns, float(parameters["l2"]), spec.algorithm.threads)
    trees = fit_trees(
        data,
        columns,
        intercepts[data.groups],
        spec.algorithm,
        {name: value for name, value in parameters.items() if name not in NOT_FOR_TREES},
    )
    share = float(parameters["tree_share"])
    return Ranking(linear.scaled(1.0 - share), bytes(trees.save_raw("ubj")), columns, share, spec.algorithm.threads)


def fit(data: Dataset, spec: ModelSpec, parameters: Mapping[str, float | int], *, slope: float) -> FittedModel:
    """The whole model; slope: the factor that out-of-time predictions asked for (1 changes nothing)."""
    ranking = fit_ranking(data, spec, parameters).scaled(slope)
    level_model = fit_level_model(data, spec.season, threads=spec.algorithm.threads)
    level = standardise(level_model, data, ranking.margin)
    return fitted_model(
        data.features,
        ranking,
        level,
        day_of_year_feature=spec.season.day_of_year_feature,
        parameters=parameters,
        notes={
            "slope": slope,
            "level_by_snapshot": {
                f"{day:%Y-%m-%d}": round(float(value), 6)
                for day, value in zip(level_model.snapshots, level_model.levels, strict=True)
            },
        },
    )


def _linear_part(data: Dataset, columns: NDArray[np.int64], l2: float, threads: int) -> tuple[LinearPart, FloatArray]:
    """`fit_linear`, once for each l2: many candidates of a search differ in what only the trees know."""
    fits = _linear_parts.setdefault(data, {})
    key = (l2, columns.tobytes())
    if key not in fits:
        fits[key] = fit_linear(data, columns, l2=l2, threads=threads)
    return fits[key]


def _ranking_columns(data: Dataset, spec: ModelSpec) -> NDArray[np.int64]:
    # Day of year and length of record are the same for all customers of a night: they belong to the level.
    level_only = {spec.season.day_of_year_feature, spec.season.history_feature}
    return np.array([i for i, name in enumerate(data.features) if name not in level_only], dtype=np.int64)
