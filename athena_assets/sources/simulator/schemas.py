"""The delivered tables' columns and types, and the conversion of plain integers to them."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from athena_assets.decimals import decimal_column

IntArray = npt.NDArray[np.int64]

MONEY = pa.decimal128(18, 4)
TIMESTAMP = pa.timestamp("us")
TABLES: dict[str, Any] = {
    "customers": pa.schema(
        [
            ("customer_id", pa.string()),
            ("registered_on", pa.date32()),
            ("country", pa.string()),
            ("known_at", TIMESTAMP),
        ]
    ),
    "products": pa.schema(
        [
            ("product_id", pa.string()),
            ("description", pa.string()),
            ("category", pa.string()),
            ("list_price", MONEY),
            ("known_at", TIMESTAMP),
        ]
    ),
    "orders": pa.schema(
        [
            ("order_id", pa.string()),
            ("customer_id", pa.string()),
            ("order_ts", TIMESTAMP),
            ("total_order_amount", MONEY),
            ("is_return", pa.bool_()),
            ("channel", pa.string()),
            ("country", pa.string()),
            ("known_at", TIMESTAMP),
        ]
    ),
    "order_lines": pa.schema(
        [
            ("order_id", pa.string()),
            ("customer_id", pa.string()),
            ("order_ts", TIMESTAMP),
            ("product_id", pa.string()),
            ("description", pa.string()),
            ("quantity", pa.int64()),
            ("unit_price", MONEY),
            ("is_return", pa.bool_()),
            ("channel", pa.string()),
            ("country", pa.string()),
            ("known_at", TIMESTAMP),
        ]
    ),
    "service_contacts": pa.schema(
        [
            ("contact_id", pa.string()),
            ("customer_id", pa.string()),
            ("contact_ts", TIMESTAMP),
            ("topic", pa.string()),
            ("channel", pa.string()),
            ("is_resolved", pa.bool_()),
            ("known_at", TIMESTAMP),
        ]
    ),
    "campaign_contacts": pa.schema(
        [
            ("contact_id", pa.string()),
            ("campaign_id", pa.string()),
            ("customer_id", pa.string()),
            ("contact_ts", TIMESTAMP),
            ("arm", pa.string()),
            ("response", pa.bool_()),
            ("known_at", TIMESTAMP),
        ]
    ),
}
"""Content columns of each delivered table and `known_at`, in delivered order."""

_US_PER_SECOND = 1_000_000
_SECONDS_PER_DAY = 86_400
_DELIVERED_AT_SECOND = 30 * 60  # half past midnight, after the day that is delivered


def money(cents: IntArray) -> Any:
    """DECIMAL(18,4) from integer cents, exactly."""
    return decimal_column(cents * 100, precision=MONEY.precision, scale=MONEY.scale)


def timestamps(first_day: int, day: IntArray, second: IntArray) -> Any:
    """Naive timestamps from simulation days and seconds of the day; `first_day` is days since 1970."""
    seconds = (first_day + day) * _SECONDS_PER_DAY + second
    return pa.array(seconds * _US_PER_SECOND, type=TIMESTAMP)


def delivery_times(first_day: int, delivered_on: IntArray) -> Any:
    """`known_at` of what the night of simulation day `delivered_on` delivers."""
    return timestamps(first_day, delivered_on + 1, np.full(delivered_on.size, _DELIVERED_AT_SECOND))


def dates(first_day: int, day: IntArray) -> Any:
    """DATE from simulation days."""
    return pa.array((first_day + day).astype(np.int32), type=pa.date32())


def identifiers(prefix: str, number: IntArray, width: int) -> Any:
    """`prefix` and the number with leading zeros: fixed width, so that text order is number order."""
    digits = pc.utf8_lpad(pa.array(number).cast(pa.string()), width=width, padding="0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")


def names(vocabulary: tuple[str, ...], code: IntArray) -> Any:
    """The words of a small vocabulary by their codes."""
    return pa.array(vocabulary).take(pa.array(code))


def code_numbers(block: int, number: IntArray) -> IntArray:
    """Numbers unique over blocks: eight digits within the block, the block in front."""
    return block * 100_000_000 + number + 1
