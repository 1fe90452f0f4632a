/* Population and truth of the churn model at one snapshot.
   Grain: one customer with a purchase (an order that is not a return) in the 365 days before $as_of, as the night
     of $as_of could have known it. A corrected order counts in the version known then, for the outcome in that
     known at $label_cutoff.
   Inputs: the view orders.all_orders; parameters $as_of (TIMESTAMP, start of the label window), $cutoff (TIMESTAMP,
     when the population was known), $label_end (TIMESTAMP, exclusive end of the label window), $label_cutoff
     (TIMESTAMP, when the outcome is read).
   Output: customer_id VARCHAR, as_of TIMESTAMP, label INTEGER (1 churned: no purchase in [$as_of, $label_end)). */
WITH corrections AS (
    SELECT
        order_id,
        max(known_at) FILTER (WHERE known_at <= CAST($cutoff AS TIMESTAMP)) AS known_then,
        max(known_at) FILTER (WHERE known_at <= CAST($label_cutoff AS TIMESTAMP)) AS known_later
    FROM orders.all_orders
    WHERE is_correction
    GROUP BY order_id
),
population AS (
    SELECT DISTINCT customer_id
    FROM orders.all_orders AS placed
    LEFT JOIN corrections ON corrections.order_id = placed.order_id
    WHERE customer_id IS NOT NULL
        AND NOT is_return
        AND order_ts >= CAST($as_of AS TIMESTAMP) - INTERVAL 365 DAY
        AND order_ts < CAST($as_of AS TIMESTAMP)
        AND known_at <= CAST($cutoff AS TIMESTAMP)
        AND known_at >= coalesce(known_then, known_at)
),
returned AS (
    SELECT DISTINCT customer_id
    FROM orders.all_orders AS placed
    LEFT JOIN corrections ON corrections.order_id = placed.order_id
    WHERE customer_id IS NOT NULL
        AND NOT is_return
        AND order_ts >= CAST($as_of AS TIMESTAMP)
        AND order_ts < CAST($label_end AS TIMESTAMP)
        AND known_at <= CAST($label_cutoff AS TIMESTAMP)
        AND known_at >= coalesce(known_later, known_at)
)
SELECT
    population.customer_id,
    CAST($as_of AS TIMESTAMP) AS as_of,
    CAST(returned.customer_id IS NULL AS INTEGER) AS label
FROM population
LEFT JOIN returned ON returned.customer_id = population.customer_id
ORDER BY population.customer_id
