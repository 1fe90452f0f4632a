/* Population of the nightly feature table.
   Grain: one customer with a purchase (an order that is not a return) in [as_of - 365 days, as_of), known at the cutoff.
   Inputs: orders.all_orders; parameters $as_of, $cutoff (TIMESTAMP).
   Output: customer_id VARCHAR. */
SELECT DISTINCT customer_id
FROM orders.all_orders
WHERE customer_id IS NOT NULL
    AND NOT is_return
    AND order_ts >= CAST($as_of AS TIMESTAMP) - INTERVAL 365 DAY
    AND order_ts < CAST($as_of AS TIMESTAMP)
    AND known_at <= CAST($cutoff AS TIMESTAMP)
