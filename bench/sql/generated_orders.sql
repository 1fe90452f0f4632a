/* A generated retailer's orders, the same rows for the same number of customers.
   Grain: one order; a customer has 1 to 30, 15.5 on average, over the two years before 2026-11-01; 8 % are returns.
   Inputs: $customers BIGINT.
   Output: customer_id; order_ts, business-local, distinct to the microsecond; known_at, 00:30 on the day after;
           total_order_amount, currency, negative on returns; item_count, pieces; is_return; channel; country. */
WITH drawn AS (
    SELECT
        customer,
        hash(customer, number, 'when') AS moment,
        hash(customer, number, 'worth') AS worth,
        hash(customer, number, 'kind') AS kind
    FROM range(CAST($customers AS BIGINT)) AS customers(customer),
        LATERAL range(1 + CAST(hash(customer) % 30 AS BIGINT)) AS orders(number)
)
SELECT
    'C-' || lpad(CAST(customer AS VARCHAR), 8, '0') AS customer_id,
    TIMESTAMP '2024-11-01' + to_microseconds(CAST(moment % 63072000000000 AS BIGINT)) AS order_ts,
    CAST(CAST(order_ts AS DATE) AS TIMESTAMP) + INTERVAL '24 hours 30 minutes' AS known_at,
    kind % 100 < 8 AS is_return,
    CAST(CAST(worth % 30000 + 100 AS DECIMAL(18, 4)) * 0.01 AS DECIMAL(18, 4)) * CASE WHEN is_return THEN -1 ELSE 1 END
        AS total_order_amount,
    CAST(worth % 7 + 1 AS BIGINT) AS item_count,
    CASE kind % 3 WHEN 0 THEN 'web' WHEN 1 THEN 'app' ELSE 'store' END AS channel,
    'United Kingdom' AS country
FROM drawn
