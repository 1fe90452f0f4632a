/* ---
name: orders_90d
description: >-
  Purchases in the 90 days before as_of; returns are not counted.
table: orders
dtype: INTEGER
unit: orders
window: 90 days
null_policy: "none allowed"
bounds: [0, 100000]
owner: customer-insight
since: 1.0.0
words:
  phrase: orders in 90 days
  pivot: 1
  high: "{value} order{s} in the last 90 days"
  low: "only {value} order{s} in the last 90 days"
  zero: "no order in the last 90 days"
--- */
count(*) FILTER (WHERE is_purchase AND days_ago <= 90)
