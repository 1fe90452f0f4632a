"""Probabilities for a whole night, the tier and the money that follow from them, and how fast one row is."""

import time
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from athena_assets.errors import AthenaError, InvalidArgument
from athena_assets.lifecycle.artifact import Artifact
from athena_assets.lifecycle.dataset import FloatArray, Matrix
from athena_assets.lifecycle.gates import Packaging
from athena_assets.lifecycle.model_spec import ValueModel

if TYPE_CHECKING:
    import pyarrow as pa

DECIMALS = 6
CENT = Decimal("0.01")
SPEND_UNIT = Decimal("0.0001")
"""In which a spend is counted: the last place of DECIMAL(18,4)."""


class WrongFeatures(AthenaError):
    """The rows to score are not the features that the model was trained on."""


def score(artifact: Artifact, matrix: Matrix, features: Sequence[str]) -> FloatArray:
    """Probabilities (rows,) by the native model, rounded to six decimals.

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
    rounded: FloatArray = np.round(artifact.model.probability(matrix), DECIMALS)
    return rounded


def tier_names(probability: FloatArray, thresholds: dict[str, float]) -> "pa.StringArray":
    """The first tier, from the highest, whose threshold each probability (rows,) reaches."""
    import pyarrow as pa

    reached = (probability[:, None] >= np.array(list(thresholds.values()))[None, :]).argmax(axis=1)
    return pa.array(list(thresholds), type=pa.string()).take(pa.array(reached))


def expected_value_at_risk(
    probability: FloatArray, yearly_spend: NDArray[np.int64], value: ValueModel
) -> NDArray[np.int64]:
    """Probability × margin on a year's spend × horizon in years: cents (rows,), half to even, exact throughout.

    probability: (rows,), six decimals, as published. yearly_spend: (rows,), in `SPEND_UNIT`s. Raises `InvalidArgument`
    where the lengths differ, and for a spend whose product with a probability does not fit in 64 bits.
    """
    if len(probability) != len(yearly_spend):
        raise InvalidArgument(
            "expected value at risk", expected=f"{len(probability)} amounts", found=str(len(yearly_spend))
        )
    most = np.iinfo(np.int64).max // 10**DECIMALS
    if len(yearly_spend) and not -most <= yearly_spend.min() <= yearly_spend.max() <= most:
        raise InvalidArgument(
            "a yearly spend is too large for the expected value at risk",
            expected=f"at most {most * SPEND_UNIT}",
            found=str(max(int(yearly_spend.max()), -int(yearly_spend.min())) * SPEND_UNIT),
        )
    millionths = np.rint(probability * 10**DECIMALS).astype(np.int64)
    per_unit = Fraction(value.margin_rate) * Fraction(value.horizon_days, 365) * Fraction(SPEND_UNIT / CENT)
    return half_to_even(yearly_spend * millionths, per_unit / 10**DECIMALS)


def half_to_even(amounts: NDArray[np.int64], factor: Fraction) -> NDArray[np.int64]:
    """amounts × factor (rows,), rounded to whole numbers, half to even, exactly.

    The factor's numerator and denominator have at most 50 bits, and so have the results.
    """
    above, below = factor.numerator, factor.denominator
    # At most one off; the remainder then tells, because what overflows in both of its terms cancels.
    whole = np.floor(amounts.astype(np.float64) * (above / below)).astype(np.int64)
    rest = amounts * above - whole * below
    off = np.floor_divide(rest, below)
    whole, rest = whole + off, rest - off * below
    rounded: NDArray[np.int64] = whole + ((2 * rest > below) | ((2 * rest == below) & (whole % 2 == 1)))
    return rounded


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
