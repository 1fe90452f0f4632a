"""The canonical raw tables: what every source is translated into before any cleaning.

A raw row says what was delivered, typed but not judged. Beside the content below every raw table has the
technical columns `TECHNICAL`. Money is DECIMAL(18,4) in the source's currency; timestamps are naive wall
clock of the retailer.
"""

from dataclasses import dataclass
from typing import Final

TEXT: Final = "VARCHAR"
WHOLE: Final = "BIGINT"
MONEY: Final = "DECIMAL(18,4)"
TIMESTAMP: Final = "TIMESTAMP"
DATE: Final = "DATE"
BOOLEAN: Final = "BOOLEAN"


@dataclass(frozen=True)
class RawColumn:
    """One content column. A required column that is empty in a row makes that row unparseable."""

    name: str
    type: str
    required: bool = False


@dataclass(frozen=True)
class RawTable:
    """One canonical raw table.

    `event_column` is the time at which the row's fact happened (None for reference data);
    `amount` is the SQL of the row's money over its content columns, NULL where it has none.
    """

    name: str
    columns: tuple[RawColumn, ...]
    event_column: str | None
    amount: str | None = None

    def column(self, name: str) -> RawColumn:
        """The column called `name`; KeyError when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


TECHNICAL: Final[tuple[RawColumn, ...]] = (
    RawColumn("delivery_id", TEXT, required=True),
    RawColumn("source_row", WHOLE, required=True),
    RawColumn("night", DATE, required=True),
    RawColumn("known_at", TIMESTAMP, required=True),
    RawColumn("parse_error", TEXT),
)

_TABLES = (
    RawTable(
        "order_lines",
        (
            RawColumn("order_id", TEXT, required=True),
            RawColumn("customer_id", TEXT),
            RawColumn("order_ts", TIMESTAMP, required=True),
            RawColumn("product_id", TEXT, required=True),
            RawColumn("description", TEXT),
            RawColumn("quantity", WHOLE, required=True),
            RawColumn("unit_price", MONEY, required=True),
            RawColumn("is_return", BOOLEAN, required=True),
            RawColumn("channel", TEXT),
            RawColumn("country", TEXT),
        ),
        event_column="order_ts",
        amount="TRY_CAST(quantity * unit_price AS DECIMAL(18,4))",
    ),
    RawTable(
        "orders",
        (
            RawColumn("order_id", TEXT, required=True),
            RawColumn("customer_id", TEXT),
            RawColumn("order_ts", TIMESTAMP, required=True),
            RawColumn("total_order_amount", MONEY, required=True),
            RawColumn("is_return", BOOLEAN, required=True),
            RawColumn("channel", TEXT),
            RawColumn("country", TEXT),
        ),
        event_column="order_ts",
        amount="total_order_amount",
    ),
    RawTable(
        "customers",
        (
            RawColumn("customer_id", TEXT, required=True),
            RawColumn("registered_on", DATE),
            RawColumn("country", TEXT),
        ),
        event_column="registered_on",
    ),
    RawTable(
        "products",
        (
            RawColumn("product_id", TEXT, required=True),
            RawColumn("description", TEXT),
            RawColumn("category", TEXT),
            RawColumn("list_price", MONEY),
        ),
        event_column=None,
    ),
    RawTable(
        "service_contacts",
        (
            RawColumn("contact_id", TEXT, required=True),
            RawColumn("customer_id", TEXT, required=True),
            RawColumn("contact_ts", TIMESTAMP, required=True),
            RawColumn("topic", TEXT, required=True),
            RawColumn("channel", TEXT),
            RawColumn("is_resolved", BOOLEAN, required=True),
        ),
        event_column="contact_ts",
    ),
    RawTable(
        "campaign_contacts",
        (
            RawColumn("contact_id", TEXT, required=True),
            RawColumn("campaign_id", TEXT, required=True),
            RawColumn("customer_id", TEXT, required=True),
            RawColumn("contact_ts", TIMESTAMP, required=True),
            RawColumn("arm", TEXT, required=True),
            RawColumn("response", BOOLEAN, required=True),
        ),
        event_column="contact_ts",
    ),
)

RAW_TABLES: Final[dict[str, RawTable]] = {table.name: table for table in _TABLES}
"""Every canonical raw table by name, in the order in which cleaning reads them."""
