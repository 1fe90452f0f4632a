/* Thirty features of the orders table as a script has them: the floor of a night at size.
   One GROUP BY, floating-point money, nothing but orders.
   Grain: one customer with a purchase in the 365 days before as_of.
   Inputs: orders.all_orders; $as_of, $cutoff TIMESTAMP.
   Output: customer_id and thirty columns; days, orders, pieces, currency, shares. */
SELECT
    customer_id,
    count(*) FILTER (WHERE bought AND age <= 30) AS orders_30d,
    count(*) FILTER (WHERE bought AND age <= 60) AS orders_60d,
    count(*) FILTER (WHERE bought AND age <= 90) AS orders_90d,
    count(*) FILTER (WHERE bought AND age <= 180) AS orders_180d,
    count(*) FILTER (WHERE bought AND age <= 365) AS orders_365d,
    count(*) FILTER (WHERE bought) AS orders_total,
    sum(amount) FILTER (WHERE bought AND age <= 30) AS spend_30d,
    sum(amount) FILTER (WHERE bought AND age <= 60) AS spend_60d,
    sum(amount) FILTER (WHERE bought AND age <= 90) AS spend_90d,
    sum(amount) FILTER (WHERE bought AND age <= 180) AS spend_180d,
    sum(amount) FILTER (WHERE bought AND age <= 365) AS spend_365d,
    sum(amount) FILTER (WHERE bought) AS spend_total,
    avg(amount) FILTER (WHERE bought AND age <= 90) AS mean_order_value_90d,
    avg(amount) FILTER (WHERE bought AND age <= 365) AS mean_order_value_365d,
    max(amount) FILTER (WHERE bought AND age <= 90) AS max_order_value_90d,
    max(amount) FILTER (WHERE bought AND age <= 365) AS max_order_value_365d,
    min(amount) FILTER (WHERE bought AND age <= 365) AS min_order_value_365d,
    stddev_samp(amount) FILTER (WHERE bought AND age <= 365) AS order_value_spread_365d,
    sum(item_count) FILTER (WHERE bought AND age <= 90) AS items_90d,
    sum(item_count) FILTER (WHERE bought AND age <= 365) AS items_365d,
    avg(item_count) FILTER (WHERE bought AND age <= 365) AS mean_items_365d,
    min(age) FILTER (WHERE bought) AS recency_days,
    max(age) FILTER (WHERE bought) AS tenure_days,
    count(*) FILTER (WHERE is_return AND age <= 90) AS returns_90d,
    count(*) FILTER (WHERE is_return AND age <= 365) AS returns_365d,
    sum(amount) FILTER (WHERE is_return AND age <= 365) AS returned_value_365d,
    min(age) FILTER (WHERE is_return) AS days_since_last_return,
    avg(CAST(weekend AS INTEGER)) FILTER (WHERE bought AND age <= 365) AS weekend_share_365d,
    avg(CAST(winter AS INTEGER)) FILTER (WHERE bought AND age <= 365) AS winter_share_365d,
    avg(CAST(online AS INTEGER)) FILTER (WHERE bought AND age <= 365) AS online_share_365d
FROM (
    SELECT
        customer_id,
        NOT is_return AS bought,
        is_return,
        CAST($as_of AS DATE) - CAST(order_ts AS DATE) AS age,
        CAST(total_order_amount AS DOUBLE) AS amount,
        item_count,
        isodow(order_ts) >= 6 AS weekend,
        month(order_ts) >= 11 AS winter,
        channel <> 'store' AS online
    FROM orders.all_orders
    WHERE customer_id IS NOT NULL AND order_ts < CAST($as_of AS TIMESTAMP) AND known_at <= CAST($cutoff AS TIMESTAMP)
)
GROUP BY customer_id
HAVING count(*) FILTER (WHERE bought AND age <= 365) > 0
