/* Grain: one order. Inputs: the clean lines of the scope; for sources that deliver no order headers.
   Output: orders.orders; order_ts the first timestamp of the order's lines; total_order_amount the signed sum of
   its merchandise lines in the source's currency; item_count merchandise units without sign, line_count all
   lines, charges included; is_return when every line is one. An order of charges alone has item_count 0.
   The night is the one on which the order was complete. */
SELECT
    max(night) AS night,
    order_id,
    min(customer_id) AS customer_id,
    min(order_ts) AS order_ts,
    max(known_at) AS known_at,
    CAST(coalesce(sum(line_amount) FILTER (WHERE is_merchandise), 0) AS DECIMAL(18,4)) AS total_order_amount,
    CAST(coalesce(sum(abs(quantity)) FILTER (WHERE is_merchandise), 0) AS BIGINT) AS item_count,
    count(*) AS line_count,
    bool_and(is_return) AS is_return,
    min(channel) AS channel,
    min(country) AS country,
    bool_or(is_correction) AS is_correction
FROM {{clean_lines}}
WHERE {{in_scope}}
GROUP BY order_id
ORDER BY night, order_id
