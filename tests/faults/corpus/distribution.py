"""Every value is possible, and together they are not; or they are, because it is that time of the year."""

from tests.faults.corpus.fault import Fault, rewritten

KIND = "distribution"
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
)
