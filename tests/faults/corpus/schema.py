"""Columns and values that mean something else than was agreed: names, types, units, notation, encoding, clock."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.faults.corpus.fault import Fault, changed_text, nothing_to_mend, rewritten

LINES = "order_lines"


def _mixed(text: str) -> bytes:
    """The first line in UTF-8 with a letter outside ASCII, the last in a single-byte encoding."""
    header, first, *between, last = text.splitlines(keepends=True)
    accented = [line.replace(" ", " Café ", 1) for line in (first, last)]
    return b"".join([header.encode(), accented[0].encode(), "".join(between).encode(), accented[1].encode("cp1252")])


def _amount_twice(folder: Path) -> None:
    path = folder / "orders.parquet"
    orders = pq.read_table(path)
    amount = orders["total_order_amount"]
    zero = pa.array([Decimal(0)] * orders.num_rows, amount.type)
    at = orders.schema.get_field_index("total_order_amount")
    spoiled = orders.set_column(at, "total_order_amount", zero).append_column("total_order_amount", amount)
    pq.write_table(spoiled, path)


FAULTS = (
    Fault(
        "column_renamed",
        "schema",
        "delivery",
        "`total_order_amount` of the orders comes as `order_total_amount`: the rename that broke Athena",
        "tables",
        ("ColumnsDiffer",),
        spoil=rewritten(orders="SELECT * RENAME (total_order_amount AS order_total_amount) FROM delivered"),
        mend=nothing_to_mend,
        mended_by="the owner of the table accepts the new name",
    ),
    Fault(
        "column_dropped",
        "schema",
        "delivery",
        "the column `Country` is no longer delivered",
        "lines",
        ("ColumnsDiffer",),
        spoil=rewritten(order_lines="SELECT * EXCLUDE (Country) FROM delivered"),
    ),
    Fault(
        "column_added",
        "schema",
        "delivery",
        "a new column `loyalty_tier` that nobody declared stands beside the known ones",
        "tables",
        ("orders.accounting: columns.undeclared",),
        spoil=rewritten(orders="SELECT *, 'gold' AS loyalty_tier FROM delivered"),
        mended_by="the supplier sends the agreed columns, or the contract takes the new one in",
        stops=False,
        blocks=False,
    ),
    Fault(
        "columns_reordered",
        "schema",
        "delivery",
        "the same columns in another order",
        "lines",
        (),
        spoil=rewritten(
            order_lines='SELECT Country, "Customer ID", Price, InvoiceDate, Quantity, Description, StockCode, Invoice'
            " FROM delivered",
        ),
    ),
    Fault(
        "column_retyped",
        "schema",
        "delivery",
        "order times come as seconds since 1970",
        "tables",
        ("TooManyUnparseable",),
        spoil=rewritten(order_lines="SELECT * REPLACE (CAST(epoch(order_ts) AS BIGINT) AS order_ts) FROM delivered"),
    ),
    Fault(
        "column_nested",
        "schema",
        "delivery",
        "the channel of the orders comes as a structure with the name inside",
        "tables",
        ("ColumnUnreadable",),
        spoil=rewritten(orders="SELECT * REPLACE ({'name': channel} AS channel) FROM delivered"),
    ),
    Fault(
        "column_twice",
        "schema",
        "delivery",
        "two columns of the orders are called `total_order_amount`, and the second one is the right one",
        "tables",
        ("ColumnsDiffer",),
        spoil=_amount_twice,
    ),
    Fault(
        "header_case_changed",
        "schema",
        "delivery",
        "the column names come in lower case",
        "lines",
        ("ColumnsDiffer",),
        spoil=changed_text(LINES, lambda text: "\n".join([(rows := text.split("\n", 1))[0].lower(), rows[1]])),
    ),
    Fault(
        "value_case_changed",
        "schema",
        "raw",
        "countries come in capitals, so that none is the home country any more",
        "lines",
        ("orders.order_lines: countries.new_share",),
        spoil=rewritten(order_lines="SELECT * REPLACE (upper(Country) AS Country) FROM delivered"),
    ),
    Fault(
        "price_in_pence",
        "schema",
        "raw",
        "the unit of the price changes: pence instead of pounds, everything costs a hundred times as much",
        "lines",
        ("orders.order_lines: price.level",),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CAST(CAST(Price AS DECIMAL(18,4)) * 100 AS DECIMAL(18,2)) AS Price)"
            " FROM delivered"
        ),
    ),
    Fault(
        "currency_changed",
        "schema",
        "raw",
        "prices come in euros instead of pounds: everything costs 17 % more, lines and totals alike",
        "tables",
        ("orders.order_lines: price.level",),
        # Four decimals are kept, so that lines and total still agree.
        spoil=rewritten(
            orders="SELECT * REPLACE (CAST(total_order_amount * 1.17 AS DECIMAL(18,4)) AS total_order_amount)"
            " FROM delivered",
            order_lines="SELECT * REPLACE (CAST(unit_price * 1.17 AS DECIMAL(18,4)) AS unit_price) FROM delivered",
        ),
    ),
    Fault(
        "decimal_comma",
        "schema",
        "delivery",
        "prices are written with a decimal comma",
        "lines",
        ("TooManyUnparseable",),
        spoil=rewritten(order_lines="SELECT * REPLACE (replace(Price, '.', ',') AS Price) FROM delivered"),
    ),
    Fault(
        "encodings_mixed",
        "schema",
        "delivery",
        "one line of the file is in UTF-8, another in a single-byte encoding",
        "lines",
        ("EncodingUnclear",),
        spoil=changed_text(LINES, _mixed),
    ),
    Fault(
        "timezone_shifted",
        "schema",
        "raw",
        "order times come in another time zone: six hours late, the evening's on the next day",
        "lines",
        ("orders.accounting: quarantined.share", "orders.orders: hour.mean"),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CAST(InvoiceDate AS TIMESTAMP) + INTERVAL 6 HOUR AS InvoiceDate)"
            " FROM delivered",
        ),
    ),
    Fault(
        "id_as_float",
        "schema",
        "delivery",
        "a spreadsheet made floats of the customer numbers: 2345.0 without leading zeros",
        "lines",
        ("orders.orders: customers.new_share",),
        spoil=rewritten(
            order_lines='SELECT * REPLACE (CAST("Customer ID" AS INTEGER) || \'.0\' AS "Customer ID") FROM delivered'
        ),
    ),
    Fault(
        "whitespace_declared",
        "schema",
        "delivery",
        "values come padded with spaces, which reading takes off",
        "lines",
        (),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (' ' || Invoice AS Invoice, Price || '  ' AS Price,"
            " Country || ' ' AS Country) FROM delivered",
        ),
    ),
)
