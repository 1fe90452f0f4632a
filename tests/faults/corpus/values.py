"""Values that parse and cannot be, or cannot all be."""

from tests.faults.corpus.fault import Fault, rewritten

KIND = "values"


def _first(count: int, column: str, value: str) -> str:
    """The rows with the first few values of a column replaced."""
    return (
        f'SELECT * REPLACE (CASE WHEN row_number() OVER () <= {count} THEN {value} ELSE "{column}" END AS "{column}")'
        " FROM delivered"
    )


FAULTS = (
    Fault(
        "quantity_negative",
        KIND,
        "clean",
        "five sales have a negative quantity and are no returns",
        "tables",
        ("orders.quarantine: reason.value", "orders.quarantine: reason.relations"),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CASE WHEN row_number() OVER () <= 5 THEN -abs(quantity) ELSE quantity END"
            " AS quantity) FROM delivered"
        ),
        stops=False,
        blocks=False,
    ),
    Fault(
        "price_negative",
        KIND,
        "clean",
        "three prices are negative",
        "lines",
        ("orders.quarantine: reason.value",),
        spoil=rewritten(order_lines=_first(3, "Price", "'-' || Price")),
        stops=False,
        blocks=False,
    ),
    Fault(
        "price_absurd",
        KIND,
        "clean",
        "one price lost its decimal point and two digits more",
        "lines",
        ("orders.quarantine: reason.value",),
        spoil=rewritten(order_lines=_first(1, "Price", "'749000.00'")),
        stops=False,
        blocks=False,
    ),
    Fault(
        "quantity_absurd",
        KIND,
        "clean",
        "a barcode was scanned into the quantity",
        "lines",
        ("orders.quarantine: reason.value",),
        spoil=rewritten(order_lines=_first(1, "Quantity", "'5012345678900'")),
        stops=False,
        blocks=False,
    ),
    Fault(
        "events_in_the_future",
        KIND,
        "clean",
        "five lines happen a week after they were delivered",
        "lines",
        ("orders.quarantine: reason.time",),
        spoil=rewritten(
            order_lines=_first(5, "InvoiceDate", "CAST(CAST(InvoiceDate AS TIMESTAMP) + INTERVAL 7 DAY AS VARCHAR)")
        ),
        stops=False,
        blocks=False,
    ),
    Fault(
        "date_default",
        KIND,
        "clean",
        "an order has the default date of its system, 1900-01-01",
        "lines",
        ("orders.quarantine: reason.time",),
        spoil=rewritten(order_lines=_first(1, "InvoiceDate", "'1900-01-01 00:00:00'")),
        stops=False,
        blocks=False,
    ),
    Fault(
        "sentinel_quantity",
        KIND,
        "clean",
        "-999 stands for an unknown quantity in one line of ten",
        "lines",
        ("orders.accounting: quarantined.share",),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CASE WHEN row_number() OVER () % 10 = 0 THEN '-999' ELSE Quantity END"
            " AS Quantity) FROM delivered"
        ),
    ),
    Fault(
        "sentinel_customer",
        KIND,
        "raw",
        "-999 stands for an unknown customer in one line of ten: nobody becomes the best customer",
        "lines",
        ("orders.orders: customer.new_top",),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CASE WHEN hash(Invoice) % 10 = 0 THEN '-999' ELSE \"Customer ID\" END"
            ' AS "Customer ID") FROM delivered'
        ),
    ),
    Fault(
        "columns_swapped",
        KIND,
        "delivery",
        "quantity and price have changed places",
        "lines",
        ("TooManyUnparseable",),
        spoil=rewritten(order_lines="SELECT * REPLACE (Price AS Quantity, Quantity AS Price) FROM delivered"),
    ),
    Fault(
        "texts_swapped",
        KIND,
        "raw",
        "stock code and description have changed places: both are text and both parse",
        "lines",
        ("orders.order_lines: products.new_share",),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (Description AS StockCode, StockCode AS Description) FROM delivered"
        ),
    ),
    Fault(
        "column_constant",
        KIND,
        "raw",
        "every price is 9.99",
        "lines",
        ("orders.order_lines: price.level", "orders.order_lines: price.top_share"),
        spoil=rewritten(order_lines="SELECT * REPLACE ('9.99' AS Price) FROM delivered"),
    ),
    Fault(
        "time_of_day_lost",
        KIND,
        "raw",
        "order times have lost their hours: everything happens at midnight",
        "tables",
        ("orders.orders: hour.mean", "orders.orders: hours.distinct"),
        spoil=rewritten(
            orders="SELECT * REPLACE (date_trunc('day', order_ts) AS order_ts) FROM delivered",
            order_lines="SELECT * REPLACE (date_trunc('day', order_ts) AS order_ts) FROM delivered",
        ),
    ),
    Fault(
        "category_exploded",
        KIND,
        "raw",
        "the channel carries a session number: as many channels as orders",
        "tables",
        ("orders.orders: channels.distinct", "orders.orders: channels.new_share"),
        spoil=rewritten(
            orders="SELECT * REPLACE (channel || '-' || order_id AS channel) FROM delivered",
            order_lines="SELECT * REPLACE (channel || '-' || order_id AS channel) FROM delivered",
        ),
    ),
    Fault(
        "category_unknown",
        KIND,
        "clean",
        "complaints come under a topic that nobody defined",
        "tables",
        ("orders.quarantine: reason.value",),
        spoil=rewritten(
            service_contacts="SELECT * REPLACE (CASE topic WHEN 'question' THEN topic ELSE topic || '_v2' END AS topic)"
            " FROM delivered"
        ),
        stops=False,
        blocks=False,
    ),
    Fault(
        "flag_inverted",
        KIND,
        "clean",
        "`is_return` means the opposite",
        "tables",
        ("orders.order_lines: rows.open_day",),
        spoil=rewritten(
            orders="SELECT * REPLACE (NOT is_return AS is_return) FROM delivered",
            order_lines="SELECT * REPLACE (NOT is_return AS is_return) FROM delivered",
        ),
    ),
    Fault(
        "register_date_default",
        KIND,
        "clean",
        "customers come again with the default date of a new register, 1970-01-01, as their registration",
        "tables",
        ("orders.customers: registered_on.minimum", "orders.customers: registered_on.moved"),
        spoil=rewritten(
            customers="SELECT * FROM delivered UNION ALL BY NAME SELECT DISTINCT customer_id,"
            " DATE '1970-01-01' AS registered_on, country, known_at FROM orders"
            " WHERE customer_id NOT IN (SELECT customer_id FROM delivered)"
        ),
    ),
)
