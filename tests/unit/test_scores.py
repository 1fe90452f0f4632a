"""The order of the rows that are scored."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.predictions.scores import in_customer_order

CUSTOMERS = st.lists(st.text(max_size=3), max_size=30, unique=True)


@settings(deadline=None)
@given(customers=CUSTOMERS, pieces=st.integers(1, 4))
def test_rows_when_in_any_order_then_they_ascend_by_the_bytes_of_the_customer(
    customers: list[str], pieces: int
) -> None:
    size = -(-len(customers) // pieces) or 1
    chunks = [customers[start : start + size] for start in range(0, len(customers), size)]
    column = pa.chunked_array(chunks, type=pa.string())
    rows = pa.table({"customer_id": column, "number": range(len(customers))})
    found = in_customer_order(rows).to_pylist()
    assert [row["customer_id"] for row in found] == sorted(customers, key=lambda name: name.encode())
    assert all(customers[row["number"]] == row["customer_id"] for row in found)


@pytest.mark.parametrize("customers", [[], ["C-1"], ["C-1", "C-10", "C-2"]])
def test_rows_when_they_ascend_already_then_they_are_not_copied(customers: list[str]) -> None:
    rows = pa.table({"customer_id": pa.array(customers, pa.string())})
    assert in_customer_order(rows) is rows
