"""Gradient-boosted trees, fitted the same way every time.

XGBoost's histogram method with a fixed seed and a number of threads that the rows decide gives the same bytes on every
run of one machine; a test says so.
"""

from collections.abc import Mapping
from threading import get_ident
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from athena_assets.lifecycle.dataset import Dataset, FloatArray, Matrix
from athena_assets.lifecycle.model_spec import Algorithm
from athena_assets.lifecycle.xgboost_alone import load_xgboost

if TYPE_CHECKING:
    import xgboost

ROWS_FOR_THREADS = 100_000
"""On fewer rows threads mostly wait for each other: on a busy machine small fits took many times as long with two."""

_matrices: "WeakKeyDictionary[Dataset, dict[tuple[int, int, bytes], xgboost.DMatrix]]" = WeakKeyDictionary()


def fit_trees(
    data: Dataset,
    columns: NDArray[np.int64],
    offset: FloatArray,
    algorithm: Algorithm,
    parameters: Mapping[str, float | int],
) -> "xgboost.Booster":
    """Trees on these columns that correct a margin of `offset` (rows,), in logits.

    parameters: `rounds`, and whatever else XGBoost understands; over `algorithm.fixed`.
    """
    threads = algorithm.threads if len(data) >= ROWS_FOR_THREADS else 1
    settings: dict[str, object] = {
        "objective": "binary:logistic",
        "tree_method": "hist",
        # Half is a margin of 0: the offset says the level, and the portable model adds none of its own.
        "base_score": 0.5,
        "seed": algorithm.seed,
        "nthread": threads,
        **algorithm.fixed,
        **{name: value for name, value in parameters.items() if name != "rounds"},
    }
    matrix = _matrix_of(data, columns, threads)
    matrix.set_base_margin(offset)
    booster: xgboost.Booster = load_xgboost().train(settings, matrix, num_boost_round=int(parameters["rounds"]))
    return booster


def _matrix_of(data: Dataset, columns: NDArray[np.int64], threads: int) -> "xgboost.DMatrix":
    """XGBoost's copy of the rows, kept with them: it keeps its bins too, which take as long as forty rounds.

    Each thread has one of its own, because a fit puts its offset into it.
    """
    kept = _matrices.setdefault(data, {})
    key = (get_ident(), threads, columns.tobytes())
    if key not in kept:
        rows = np.ascontiguousarray(data.matrix[:, columns])
        kept[key] = load_xgboost().DMatrix(rows, label=data.label, nthread=threads)
    return kept[key]


def load_booster(raw: bytes) -> "xgboost.Booster":
    """A booster for one thread from its UBJ bytes; several may call it at once."""
    booster = load_xgboost().Booster({"nthread": 1})
    booster.load_model(bytearray(raw))
    return booster


def tree_margin(booster: "xgboost.Booster", matrix: Matrix) -> FloatArray:
    """Sum of the leaves (rows,), in logits. matrix: only the columns that the trees were fitted on."""
    margin: FloatArray = booster.inplace_predict(np.ascontiguousarray(matrix), predict_type="margin").astype(np.float64)
    return margin


def tree_contributions(booster: "xgboost.Booster", matrix: Matrix) -> FloatArray:
    """Exact TreeSHAP (rows, columns + 1), in logits; the last column is the mean over the training rows."""
    contributions: FloatArray = booster.predict(
        load_xgboost().DMatrix(np.ascontiguousarray(matrix)), pred_contribs=True
    ).astype(np.float64)
    return contributions
