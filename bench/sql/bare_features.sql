/* The features of the orders table written by hand: the floor of the compiled text.
   One GROUP BY with the same cheap aggregates, but floating-point money, ties left to chance, and no order.
   Grain: one customer with a purchase in the 365 days before as_of.
   Inputs: orders.all_orders; $as_of, $cutoff TIMESTAMP.
   Output: customer_id and the features of the same names; days, orders, pieces, currency, shares. */
WITH seen AS (
    SELECT
        customer_id,
        order_ts,
        NOT is_return AS bought,
        is_return,
        CAST($as_of AS DATE) - CAST(order_ts AS DATE) AS age,
        CAST(total_order_amount AS DOUBLE) AS amount,
        item_count,
        isodow(order_ts) >= 6 AS weekend,
        month(order_ts) >= 11 AS winter,
        year(order_ts) * 12 + month(order_ts) AS month_number,
        channel
    FROM orders.all_orders
    WHERE customer_id IS NOT NULL AND order_ts < CAST($as_of AS TIMESTAMP) AND known_at <= CAST($cutoff AS TIMESTAMP)
),
sums AS (
    SELECT
        customer_id,
        count(*) FILTER (WHERE bought AND age <= 30) AS orders_30d,
        count(*) FILTER (WHERE bought AND age <= 60) AS orders_60d,
        count(*) FILTER (WHERE bought AND age <= 90) AS orders_90d,
        count(*) FILTER (WHERE bought AND age BETWEEN 91 AND 180) AS orders_91_180d,
        count(*) FILTER (WHERE bought AND age <= 180) AS orders_180d,
        count(*) FILTER (WHERE bought AND age <= 365) AS orders_365d,
        count(*) FILTER (WHERE bought AND age BETWEEN 276 AND 365) AS orders_same_season_last_year,
        count(*) FILTER (WHERE bought) AS orders_total,
        coalesce(sum(amount) FILTER (WHERE bought AND age <= 30), 0) AS spend_30d,
        coalesce(sum(amount) FILTER (WHERE bought AND age <= 90), 0) AS spend_90d,
        coalesce(sum(amount) FILTER (WHERE bought AND age <= 180), 0) AS spend_180d,
        coalesce(sum(amount) FILTER (WHERE bought AND age <= 365), 0) AS spend_365d,
        coalesce(sum(amount) FILTER (WHERE bought AND age BETWEEN 276 AND 365), 0) AS spend_same_season_last_year,
        coalesce(sum(item_count) FILTER (WHERE bought AND age <= 365), 0) AS items_365d,
        max(amount) FILTER (WHERE bought AND age <= 365) AS max_order_value_365d,
        stddev_samp(amount) FILTER (WHERE bought AND age <= 365) AS order_value_spread_365d,
        arg_max(amount, order_ts) FILTER (WHERE bought) AS last_order_value,
        min(age) FILTER (WHERE bought) AS recency_days,
        max(age) FILTER (WHERE bought) AS tenure_days,
        min(age, 2) FILTER (WHERE bought) AS latest_two,
        count(*) FILTER (WHERE is_return AND age <= 365) AS return_count_365d,
        coalesce(-sum(amount) FILTER (WHERE is_return AND age <= 365), 0) AS returned_value_365d,
        min(age) FILTER (WHERE is_return) AS days_since_last_return,
        bit_count(bit_or(1 << (month_number % 13)) FILTER (WHERE bought AND age <= 365)) AS active_months_365d,
        bit_count(bit_or(CASE channel WHEN 'web' THEN 1 WHEN 'app' THEN 2 ELSE 4 END) FILTER (WHERE bought AND age <= 365))
            AS channel_count_365d,
        count(*) FILTER (WHERE bought AND age <= 365 AND weekend) AS weekend,
        count(*) FILTER (WHERE bought AND age <= 365 AND winter) AS winter,
        count(*) FILTER (WHERE bought AND age <= 365 AND channel <> 'store') AS online,
        count(channel) FILTER (WHERE bought AND age <= 365) AS with_channel
    FROM seen
    GROUP BY customer_id
    HAVING orders_365d > 0
)
SELECT
    * EXCLUDE (orders_91_180d, latest_two, weekend, winter, online, with_channel),
    latest_two[2] - recency_days AS previous_gap_days,
    spend_365d / orders_365d AS avg_order_value_365d,
    spend_90d / nullif(orders_90d, 0) AS avg_order_value_90d,
    items_365d / orders_365d AS items_per_order_365d,
    (tenure_days - recency_days) / nullif(orders_total - 1, 0) AS mean_gap_days,
    recency_days / nullif(mean_gap_days, 0) AS recency_over_mean_gap,
    (orders_90d + 1) / (orders_91_180d + 1) AS orders_trend_90d,
    spend_90d / nullif(spend_180d, 0) AS spend_trend_90d,
    return_count_365d / (return_count_365d + orders_365d) AS return_rate_365d,
    weekend / orders_365d AS weekend_share_365d,
    winter / orders_365d AS november_december_share_365d,
    online / nullif(with_channel, 0) AS online_share_365d
FROM sums
