"""Rows that refer to something else than they should: nothing, somebody else, themselves a second time."""

from tests.faults.corpus.fault import Fault, rewritten

KIND = "relations"
FAULTS = (
    Fault(
        "orders_of_nobody",
        KIND,
        "clean",
        "the leading zeros of the customer numbers are gone, and nobody of the register ordered anything",
        "tables",
        ("orders.order_lines: customer_id.references",),
        spoil=rewritten(
            orders="SELECT * REPLACE (regexp_replace(customer_id, 'C-0+', 'C-') AS customer_id) FROM delivered",
            order_lines="SELECT * REPLACE (regexp_replace(customer_id, 'C-0+', 'C-') AS customer_id) FROM delivered",
        ),
    ),
    Fault(
        "contacts_of_nobody",
        KIND,
        "clean",
        "a service contact names a customer who does not exist",
        "tables",
        ("orders.service_contacts: customer_id.references",),
        spoil=rewritten(
            service_contacts="SELECT * FROM delivered UNION ALL SELECT * FROM (VALUES ('S-900000000001', 'C-99999999',"
            " (SELECT min(order_ts) FROM orders), 'quality', 'telephone', false, (SELECT max(known_at) FROM orders)))"
        ),
    ),
    Fault(
        "lines_without_header",
        KIND,
        "clean",
        "one order in five has lines and no header",
        "tables",
        ("orders.accounting: quarantined.share",),
        spoil=rewritten(orders="SELECT * FROM delivered WHERE hash(order_id) % 5 <> 0"),
    ),
    Fault(
        "totals_differ",
        KIND,
        "clean",
        "the header of one order in five includes postage that no line has",
        "tables",
        ("orders.accounting: quarantined.share",),
        spoil=rewritten(
            orders="SELECT * REPLACE (CASE WHEN hash(order_id) % 5 = 0 THEN CAST(total_order_amount + 4.95"
            " AS DECIMAL(18,4)) ELSE total_order_amount END AS total_order_amount) FROM delivered"
        ),
    ),
    Fault(
        "products_of_nobody",
        KIND,
        "clean",
        "one line in three names a product that is not in the catalogue",
        "tables",
        ("orders.order_lines: product_id.references",),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CASE WHEN hash(product_id) % 3 = 0 THEN 'X' || product_id"
            " ELSE product_id END AS product_id) FROM delivered"
        ),
    ),
    Fault(
        "customers_merged",
        KIND,
        "raw",
        "a merge of accounts went wrong: a third of the orders belong to one customer",
        "tables",
        ("orders.orders: customer.top_share",),
        spoil=rewritten(
            orders="SELECT * REPLACE (CASE WHEN hash(order_id) % 3 = 0 THEN (SELECT min(customer_id) FROM delivered)"
            " ELSE customer_id END AS customer_id) FROM delivered",
            order_lines="SELECT * REPLACE (CASE WHEN hash(order_id) % 3 = 0 THEN (SELECT min(customer_id) FROM orders)"
            " ELSE customer_id END AS customer_id) FROM delivered",
        ),
    ),
    Fault(
        "order_numbers_reused",
        KIND,
        "clean",
        "the order system was set up anew and counts from the beginning: order numbers of the history come again",
        "lines",
        ("orders.accounting: quarantined.share", "orders.orders: orders.level"),
        spoil=rewritten(
            order_lines="SELECT * REPLACE (CASE WHEN starts_with(Invoice, 'C') THEN 'C' ELSE '' END ||"
            " lpad(CAST(dense_rank() OVER (ORDER BY Invoice) AS VARCHAR), 12, '0') AS Invoice) FROM delivered"
            " ORDER BY InvoiceDate"
        ),
    ),
    Fault(
        "customer_and_header_disagree",
        KIND,
        "clean",
        "lines name another customer than the header of their order",
        "tables",
        ("orders.orders: customer_of_lines",),
        spoil=rewritten(
            order_lines="SELECT * REPLACE ((SELECT min(customer_id) FROM orders) AS customer_id) FROM delivered"
        ),
    ),
)
