/* Grain: one order that the scope may tell more than once, or that an earlier night told.
   Inputs: the delivered headers of the scope; known_orders. Output: order_id.
   A hash narrows the search, so that no table of all orders is held; one order too many does no harm. */
WITH repeated AS (
    SELECT hash(order_id) AS fingerprint
    FROM raw.orders{{suffix}}
    WHERE {{in_scope}}
    GROUP BY fingerprint
    HAVING count(*) > 1
)
SELECT DISTINCT order_id
FROM raw.orders{{suffix}}
WHERE {{in_scope}} AND hash(order_id) IN (SELECT fingerprint FROM repeated)
UNION
SELECT order_id
FROM known_orders
