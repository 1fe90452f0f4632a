/* ---
table: context
source: orders.all_orders
version_key: order_id
correction_flag: is_correction
event_time: null
grain: one row, the same for every customer
columns:
  as_of_date: the day that begins at as_of
  retailer_days: calendar days from the first order of the whole retailer (anonymous sales and returns included) to as_of; null before it
--- */
SELECT
    CAST($as_of AS DATE) AS as_of_date,
    CAST($as_of AS DATE) - CAST(min(order_ts) AS DATE) AS retailer_days
FROM orders.all_orders
WHERE order_ts < CAST($as_of AS TIMESTAMP)
    AND known_at <= CAST($cutoff AS TIMESTAMP)
