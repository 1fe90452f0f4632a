"""Why a customer's probability is high: exact additive contributions, put into words for whoever calls the customer.

In logits the model is a sum, so its parts can be told exactly: the linear part's terms against their mean over the
scored population (a hundred thousand of it, where there are more), the trees' by TreeSHAP (Lundberg and others 2020)
against their training mean, and the level, which is the same for everybody that night and therefore no reason. Exact
TreeSHAP is slow (docs/benchmarks.md), so it is computed for the customers that the retention team can act on.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from athena_assets.lifecycle.dataset import FloatArray, Matrix
from athena_assets.lifecycle.fitted import FittedModel
from athena_assets.lifecycle.model_spec import Reasons
from athena_assets.lifecycle.trees import tree_contributions

REASON_COUNT = 3
NO_FURTHER_REASON = "no further reason"

Phrase = Callable[[str, float, float | None], str]
"""(feature, value with NaN for null, the population's median or None) -> words."""

REFERENCE_ROWS = 100_000
"""Enough for a mean to within a hundredth of the spread between customers."""


def reference_rows(population: Matrix) -> Matrix:
    """The rows that stand for the scored population: all of few, of many every n-th."""
    return population[:: max(1, -(-len(population) // REFERENCE_ROWS))]


@dataclass(frozen=True)
class Explanation:
    """Contributions of the explained rows; base + Σ contributions = the model's margin, row by row.

    contributions: (rows, features), in logits, positive raises the risk. base: (rows,), the same for equal days.
    """

    contributions: FloatArray
    base: FloatArray


def explain(model: FittedModel, matrix: Matrix, population: Matrix) -> Explanation:
    """Exact contributions of each feature; population: the rows whose mean the linear part is measured against
    (`reference_rows`)."""
    linear, ranking = model.ranking.linear, model.ranking
    mean = linear.contributions(population).mean(axis=0)
    contributions = np.zeros(matrix.shape, dtype=np.float64)
    contributions[:, linear.transform.columns] += linear.contributions(matrix) - mean
    trees = tree_contributions(ranking.booster, matrix[:, ranking.tree_columns]) * ranking.tree_scale
    contributions[:, ranking.tree_columns] += trees[:, :-1]
    level = model.margin(matrix) - ranking.margin(matrix)
    return Explanation(contributions, level + mean.sum() + trees[:, -1])


def top_rows(value_at_risk: NDArray[np.int64], probability: FloatArray, k: int) -> NDArray[np.int64]:
    """Positions of the k customers with the most expected value at risk (rows,), in cents, highest first.

    Ties go to the higher probability, then to the earlier row.
    """
    if k < len(value_at_risk):
        # Sorting everybody to find a few would be waste: those below the k-th amount are none of them.
        least = np.partition(value_at_risk, len(value_at_risk) - max(k, 1))[-max(k, 1)]
        candidates = np.flatnonzero(value_at_risk >= least)
    else:
        candidates = np.arange(len(value_at_risk))
    order = np.lexsort((candidates, -probability[candidates], -value_at_risk[candidates]))
    return candidates[order[:k]].astype(np.int64)


def reasons_in_words(
    explanation: Explanation, matrix: Matrix, population: Matrix, model: FittedModel, reasons: Reasons, phrase: Phrase
) -> list[tuple[str, str, str]]:
    """The three strongest reasons of each row, each of another theme.

    A theme's contribution is the sum over its features, and it is told by the feature in it that raises the risk most.
    What the model's folder declares silent is left out, and so is a null: that something never happened is nothing
    to talk about. `NO_FURTHER_REASON` where fewer than three themes raise the risk.
    """
    themes: dict[str, list[int]] = {}
    for position, name in enumerate(model.features):
        if not reasons.is_silent(name):
            themes.setdefault(reasons.theme(name), []).append(position)
    if not themes:
        return [(NO_FURTHER_REASON, NO_FURTHER_REASON, NO_FURTHER_REASON)] * len(matrix)
    groups = list(themes.values())
    told = np.where(np.isnan(matrix), 0.0, explanation.contributions)
    totals = np.column_stack([told[:, positions].sum(axis=1) for positions in groups])
    typical = _medians(population)
    found = []
    for row in range(len(matrix)):
        words: list[str] = []
        # Stable, so that equal contributions keep the order of the feature list.
        for group in np.argsort(-totals[row], kind="stable")[:REASON_COUNT]:
            if totals[row, group] <= 0:
                break
            positions = groups[group]
            strongest = positions[int(np.argmax(told[row, positions]))]
            words.append(phrase(model.features[strongest], float(matrix[row, strongest]), typical[strongest]))
        words += [NO_FURTHER_REASON] * (REASON_COUNT - len(words))
        found.append((words[0], words[1], words[2]))
    return found


def _medians(population: Matrix) -> list[float | None]:
    medians: list[float | None] = []
    for column in population.T:
        present = column[~np.isnan(column)]
        medians.append(float(np.median(present)) if len(present) else None)
    return medians
