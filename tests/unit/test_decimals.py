"""DECIMAL columns as whole numbers and back."""

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from athena_assets.decimals import decimal_column, unscaled
from athena_assets.errors import InvalidArgument

AMOUNTS = st.lists(st.integers(-(10**18) + 1, 10**18 - 1))


@given(AMOUNTS, st.integers(0, 3))
def test_unscaled_when_a_column_is_cut_and_joined_then_its_values_are_pythons(amounts: list[int], start: int) -> None:
    values = [Decimal(amount).scaleb(-4) for amount in amounts]
    column = pa.array(values, type=pa.decimal128(18, 4))
    assert unscaled(column[start:]).tolist() == amounts[start:]
    assert unscaled(pa.chunked_array([column[start:], column])).tolist() == [*amounts[start:], *amounts]


@given(AMOUNTS)
def test_decimal_column_when_made_of_whole_numbers_then_it_is_what_arrow_makes_of_decimals(amounts: list[int]) -> None:
    found = decimal_column(np.array(amounts, dtype=np.int64), precision=18, scale=2)
    assert found.equals(pa.array([Decimal(amount).scaleb(-2) for amount in amounts], type=pa.decimal128(18, 2)))


@pytest.mark.parametrize(
    "column",
    [
        pa.array([Decimal("1.0"), None], type=pa.decimal128(18, 4)),
        pa.array([1.5]),
        pa.array([Decimal(1)], type=pa.decimal128(38, 4)),
    ],
)
def test_unscaled_when_a_column_is_none_of_small_decimals_then_named_error(column: pa.Array) -> None:
    with pytest.raises(InvalidArgument, match="18 digits"):
        unscaled(column)
