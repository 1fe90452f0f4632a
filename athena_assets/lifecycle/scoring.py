"""Probabilities for a whole night, the tier and the money that follow from them, and how fast one row is."""

import time
from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from athena_assets.errors import AthenaError, InvalidArgument
from athena_assets.lifecycle.artifact import Artifact
from athena_assets.lifecycle.dataset import FloatArray, Matrix
from athena_assets.lifecycle.gates import Packaging
from athena_assets.lifecycle.model_spec import ValueModel

CHUNK = 200_000
"""Rows scored at once: about 40 MB of features."""

DECIMALS = 6
CENT = Decimal("0.01")


class WrongFeatures(AthenaError):
    """The rows to score are not the features that the model was trained on."""


def score(artifact: Artifact, matrix: Matrix, features: Sequence[str]) -> FloatArray:
    """Probabilities (rows,), rounded to six decimals; native model, in chunks.

    matrix: float32 (rows, features), nulls NaN. features: the names of its columns, which must be the manifest's, in
    order; raises `WrongFeatures`.
    """
    expected = artifact.model.features
    if tuple(features) != expected or matrix.shape[1:] != (len(expected),):
        different = [f"{a} != {b}" for a, b in zip(features, expected, strict=False) if a != b]
        raise WrongFeatures(
            "the rows do not have the model's features",
            expected=f"{len(expected)} columns: {', '.join(expected)}",
            found=f"{matrix.shape[1]} columns" + (f"; first difference {different[0]}" if different else ""),
            next_command="score with the feature set version of the manifest",
        )
    result = np.empty(len(matrix))
    for start in range(0, len(matrix), CHUNK):
        rows = slice(start, start + CHUNK)
        result[rows] = artifact.model.probability(matrix[rows])
    rounded: FloatArray = np.round(result, DECIMALS)
    return rounded


def risk_tiers(probability: FloatArray, thresholds: dict[str, float]) -> list[str]:
    """The first tier, from the highest, whose threshold the probability reaches."""
    names, limits = list(thresholds), np.array(list(thresholds.values()))
    positions = (probability[:, None] >= limits[None, :]).argmax(axis=1)
    return [names[position] for position in positions]


def expected_value_at_risk(
    probability: FloatArray, yearly_spend: Sequence[Decimal], value: ValueModel
) -> list[Decimal]:
    """Probability × margin on a year's spend × horizon in years, to the cent, half to even; exact throughout.

    probability: (rows,), six decimals, as published. yearly_spend: business currency. Raises `InvalidArgument`
    where the lengths differ.
    """
    if len(probability) != len(yearly_spend):
        raise InvalidArgument(
            "expected value at risk", expected=f"{len(probability)} amounts", found=str(len(yearly_spend))
        )
    millionths = np.rint(probability * 10**DECIMALS).astype(np.int64).tolist()
    per_millionth = value.margin_rate * value.horizon_days
    divisor = Decimal(365 * 10**DECIMALS)
    return [
        (spend * share * per_millionth / divisor).quantize(CENT, rounding=ROUND_HALF_EVEN)
        for spend, share in zip(yearly_spend, millionths, strict=True)
    ]


def measure_packaging(artifact: Artifact, matrix: Matrix, *, repeats: int = 500) -> Packaging:
    """Size, and single-row latency of the portable model in milliseconds (one thread, first calls left out)."""
    from athena_assets.lifecycle.portable import INPUT, OUTPUT

    running = artifact.portable
    rows = [np.ascontiguousarray(matrix[i % len(matrix)][None, :]) for i in range(min(repeats, 100))]
    for row in rows[:20]:
        running.run([OUTPUT], {INPUT: row})
    elapsed = []
    for repeat in range(repeats):
        row = rows[repeat % len(rows)]
        start = time.perf_counter()
        running.run([OUTPUT], {INPUT: row})
        elapsed.append((time.perf_counter() - start) * 1000)
    median, slow = np.quantile(elapsed, (0.5, 0.99))
    return Packaging(artifact.size_bytes, float(median), float(slow), float(artifact.manifest["largest_difference"]))
