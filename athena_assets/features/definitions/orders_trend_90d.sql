/* ---
name: orders_trend_90d
description: >-
  Purchases of the last 90 days against those of the 90 days before, one added to both so that none
  divides by zero; 1 is steady.
table: orders
dtype: DOUBLE
unit: ratio
window: 180 days
null_policy: "none allowed"
bounds: [0, 100000]
owner: customer-insight
since: 1.0.0
words:
  phrase: trend of orders over 90 days
  pivot: 1
  high: "orders at {value} times the 90 days before"
  low: "orders down to {value} times the 90 days before"
--- */
CAST(count(*) FILTER (WHERE is_purchase AND days_ago <= 90) + 1 AS DOUBLE)
    / (count(*) FILTER (WHERE is_purchase AND days_ago BETWEEN 91 AND 180) + 1)
