"""Columns of DECIMAL as whole numbers and back, without a Python object per value."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from athena_assets.errors import InvalidArgument

if TYPE_CHECKING:
    import pyarrow as pa

IntArray = NDArray[np.int64]


def unscaled(column: "pa.ChunkedArray | pa.Array") -> IntArray:
    """The values of a DECIMAL column times ten to its scale, (rows,); raises `InvalidArgument` for nulls.

    A decimal128 is its unscaled value in two 64-bit words, the low one first; up to eighteen digits fit in the low one.
    """
    import pyarrow as pa

    if not pa.types.is_decimal128(column.type) or column.type.precision > 18 or column.null_count:
        raise InvalidArgument(
            "a column cannot be read as whole numbers",
            expected="DECIMAL of at most 18 digits without nulls",
            found=f"{column.type} with {column.null_count} nulls",
        )
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    parts = [np.empty(0, dtype=np.int64)]
    for chunk in chunks:
        words = np.frombuffer(chunk.buffers()[1], dtype=np.int64)[::2]
        parts.append(words[chunk.offset : chunk.offset + len(chunk)])
    return np.concatenate(parts)


def decimal_column(values: IntArray, *, precision: int, scale: int) -> Any:
    """A DECIMAL(precision, scale) array from unscaled values, (rows,)."""
    import pyarrow as pa

    low = values.astype(np.int64)
    words = np.ascontiguousarray(np.stack([low, low >> 63], axis=1))
    return pa.Array.from_buffers(pa.decimal128(precision, scale), len(low), [None, pa.py_buffer(words)])
