/* ---
name: order_value_spread_365d
description: >-
  Sample standard deviation of the value of purchases in the 365 days before as_of, from exact sums
  of values and squares.
table: orders
dtype: DOUBLE
unit: currency
window: 365 days
null_policy: "null means fewer than two purchases in 365 days"
null_limit: 0.7
null_alert: 0.6
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: spread of order values
  pivot: 100
  high: "order values vary by {value}"
  low: "order values vary by only {value}"
  missing: "fewer than two orders in 365 days"
--- */
sqrt(
    CAST(
        {orders_365d} * sum(CAST(total_order_amount AS DECIMAL(38, 4)) * total_order_amount) FILTER (WHERE is_purchase AND days_ago <= 365)
        - CAST({spend_365d} AS DECIMAL(38, 4)) * {spend_365d}
    AS DOUBLE)
    / nullif(CAST({orders_365d} AS BIGINT) * ({orders_365d} - 1), 0)
)
