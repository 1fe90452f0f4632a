"""Every value is possible, and together they are not; or they are, because it is that time of the year."""

from collections.abc import Callable
from pathlib import Path

from tests.faults.corpus.fault import Fault, rewritten

KIND = "distribution"
YEAR_BACK = "SELECT * REPLACE (order_ts - INTERVAL 365 DAY AS order_ts) FROM delivered"
DAYS_BACK = (
    "SELECT * REPLACE (CASE WHEN hash(order_id) % 20 = 0 THEN order_ts - INTERVAL 3 DAY ELSE order_ts END"
    " AS order_ts) FROM delivered"
)
ONE_LINE = (
    "order_id = (SELECT min(order_id) FROM"
    " (SELECT order_id FROM order_lines WHERE NOT is_return GROUP BY order_id HAVING count(*) = 1))"
)
ONLINE = "SELECT * REPLACE (CASE channel WHEN 'web' THEN 'online' ELSE channel END AS channel) FROM delivered"


def _come_again(table: str, changes: str) -> Callable[[Path], None]:
    """The history's register comes again beside tonight's rows, each entry as last known, with some values changed."""

    def spoil(folder: Path) -> None:
        history = folder.parent / "history" / f"{table}.parquet"
        changed = f"{changes}, (SELECT max(known_at) FROM orders) AS known_at"
        last = f"FROM '{history}' QUALIFY row_number() OVER (PARTITION BY {table[:-1]}_id ORDER BY known_at DESC) = 1"
        others = f"{table[:-1]}_id NOT IN (SELECT {table[:-1]}_id FROM delivered)"
        register = f"SELECT * REPLACE ({changed}) FROM (SELECT * {last}) WHERE {others}"
        query = f"SELECT * FROM delivered UNION ALL BY NAME {register}"
        rewritten(**{table: query})(folder)

    return spoil


FAULTS = (
    Fault(
        "baskets_shifted",
        KIND,
        "raw",
        "quantities come in single pieces instead of packs of six",
        "lines",
        ("orders.order_lines: quantity.level",),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CAST(CAST(Quantity AS BIGINT) * 6 AS VARCHAR) AS Quantity) FROM delivered"
        ),
    ),
    Fault(
        "season",
        KIND,
        "raw",
        "the Christmas trade begins: 60 % more orders, of one or two articles more each",
        "lines",
        (),
        changes_scores=True,
        spoil=rewritten(
            order_lines="SELECT * FROM delivered UNION ALL BY NAME SELECT * REPLACE ("
            " regexp_replace(Invoice, '^(C?).', '\\18') AS Invoice,"
            ' lpad(CAST(CAST("Customer ID" AS INTEGER) + 1 AS VARCHAR), 8, \'0\') AS "Customer ID")'
            " FROM delivered WHERE hash(Invoice) % 5 < 3 ORDER BY InvoiceDate"
        ),
    ),
    Fault(
        "holiday",
        KIND,
        "raw",
        "a bank holiday: 35 % fewer orders, spread over the day as ever",
        "lines",
        (),
        changes_scores=True,
        spoil=rewritten(order_lines="SELECT * FROM delivered WHERE hash(Invoice) % 20 >= 7"),
    ),
    Fault(
        "bot_traffic",
        KIND,
        "raw",
        "one customer places three hundred orders of one article in a night",
        "lines",
        ("orders.order_lines: price.top_share", "orders.order_lines: product.top_share"),
        spoil=rewritten(
            order_lines="SELECT * FROM delivered UNION ALL BY NAME"
            " SELECT lpad(CAST(range AS VARCHAR), 12, '9') AS Invoice, StockCode, Description, '1' AS Quantity,"
            ' InvoiceDate, Price, "Customer ID", Country FROM (SELECT * FROM delivered LIMIT 1), range(300)'
        ),
    ),
    Fault(
        "returns_exploded",
        KIND,
        "raw",
        "half of the orders are returns: a recall, or a sign that was lost",
        "lines",
        ("orders.order_lines: returns.share",),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CASE WHEN hash(Invoice) % 2 = 0 AND NOT starts_with(Invoice, 'C')"
            " THEN 'C' || Invoice ELSE Invoice END AS Invoice, CASE WHEN hash(Invoice) % 2 = 0"
            " THEN '-' || ltrim(Quantity, '-') ELSE Quantity END AS Quantity) FROM delivered"
        ),
    ),
    Fault(
        "night_a_year_old",
        KIND,
        "clean",
        "every order of the night is dated a year back",
        "tables",
        ("orders.order_lines: event.old_share", "orders.order_lines: event.late_share"),
        spoil=rewritten(orders=YEAR_BACK, order_lines=YEAR_BACK),
    ),
    Fault(
        "orders_late",
        KIND,
        "clean",
        "one order in twenty comes three nights late",
        "tables",
        (),
        changes_scores=True,
        spoil=rewritten(orders=DAYS_BACK, order_lines=DAYS_BACK),
    ),
    Fault(
        "register_rewritten",
        KIND,
        "clean",
        "a new register calls every known customer registered tonight",
        "tables",
        ("orders.customers: registered_on.moved",),
        spoil=_come_again("customers", "(SELECT CAST(max(order_ts) AS DATE) FROM orders) AS registered_on"),
    ),
    Fault(
        "countries_rewritten",
        KIND,
        "clean",
        "every known customer comes again and lives in France now",
        "tables",
        ("orders.customers: country.moved",),
        spoil=_come_again("customers", "'France' AS country"),
    ),
    Fault(
        "catalogue_repriced",
        KIND,
        "clean",
        "the whole catalogue comes again, with a penny for every price",
        "tables",
        ("orders.products: list_price.moved",),
        spoil=_come_again("products", "CAST(0.01 AS DECIMAL(18,4)) AS list_price"),
    ),
    Fault(
        "categories_lost",
        KIND,
        "clean",
        "the whole catalogue comes again, every category unknown",
        "tables",
        ("orders.products: category.moved_alert",),
        spoil=_come_again("products", "'unknown' AS category"),
        stops=False,
        blocks=False,
    ),
    Fault(
        "channel_renamed",
        KIND,
        "clean",
        "the web shop is called `online` from now on, and nobody said so",
        "tables",
        ("orders.orders: channels.new_share",),
        spoil=rewritten(orders=ONLINE, order_lines=ONLINE),
    ),
    Fault(
        "order_huge",
        KIND,
        "clean",
        "one order is of ten pieces at 99,999.00, each value just below its limit",
        "tables",
        ("orders.orders: money.level", "orders.orders: order.largest"),
        spoil=rewritten(
            orders=f"SELECT * REPLACE (CAST(CASE WHEN {ONE_LINE} THEN 999990 ELSE total_order_amount END"
            " AS DECIMAL(18,4)) AS total_order_amount) FROM delivered",
            order_lines=f"SELECT * REPLACE (CASE WHEN {ONE_LINE} THEN 10 ELSE quantity END AS quantity,"
            f" CAST(CASE WHEN {ONE_LINE} THEN 99999 ELSE unit_price END AS DECIMAL(18,4)) AS unit_price)"
            " FROM delivered",
        ),
        stops=False,
        blocks=False,
    ),
)
