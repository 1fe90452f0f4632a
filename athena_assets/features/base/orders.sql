/* ---
table: orders
source: orders.all_orders
version_key: order_id
correction_flag: is_correction
event_time: order_ts
grain: one order of an identified customer that the night could have seen
columns:
  customer_id: the customer; anonymous sales are no customer's and left out
  is_purchase: an order that is not a return
  is_return: an order that takes goods back
  days_ago: calendar days from the order to as_of; 1 is the day that has just ended, so "days_ago <= 90" is [as_of - 90 days, as_of)
  total_order_amount: value of the merchandise, signed, business currency, DECIMAL(18,4)
  item_count: pieces in the order
  is_weekend: ordered on a Saturday or Sunday
  month_of_year: 1 to 12
  month_number: calendar months from the year 0 to the order's; any thirteen in a row differ modulo 13
  is_online: placed anywhere but in a store; null where the source does not say the channel
  channel_bit: 1 web, 2 app, 4 store, 8 any other channel; null where the source does not say
  instant_and_amount: >-
    the order's instant and amount in one exact integer (microseconds * 2^61 + 2^60 + amount in ten-thousandths), so
    that its maximum is the latest order and, of several at one instant, the largest: no tie is left to chance; its
    lowest 61 bits tell the amount
never_null: [total_order_amount, item_count]
--- */
SELECT
    customer_id,
    NOT is_return AS is_purchase,
    is_return,
    CAST($as_of AS DATE) - CAST(order_ts AS DATE) AS days_ago,
    total_order_amount,
    item_count,
    isodow(order_ts) >= 6 AS is_weekend,
    month(order_ts) AS month_of_year,
    year(order_ts) * 12 + month(order_ts) AS month_number,
    channel <> 'store' AS is_online,
    CASE WHEN channel = 'web' THEN 1 WHEN channel = 'app' THEN 2 WHEN channel = 'store' THEN 4
         WHEN channel IS NOT NULL THEN 8 END AS channel_bit,
    CAST(epoch_us(order_ts) AS HUGEINT) * 2305843009213693952
        + 1152921504606846976 + CAST(total_order_amount * 10000 AS BIGINT) AS instant_and_amount
FROM orders.all_orders
WHERE customer_id IS NOT NULL
    AND order_ts < CAST($as_of AS TIMESTAMP)
    AND known_at <= CAST($cutoff AS TIMESTAMP)
