/* ---
name: orders_180d
description: >-
  Purchases in the 180 days before as_of; returns are not counted.
table: orders
dtype: INTEGER
unit: orders
window: 180 days
null_policy: "none allowed"
bounds: [0, 100000]
owner: customer-insight
since: 1.0.0
words:
  phrase: orders in 180 days
  pivot: 3
  high: "{value} order{s} in the last 180 days"
  low: "only {value} order{s} in the last 180 days"
  zero: "no order in the last 180 days"
--- */
count(*) FILTER (WHERE is_purchase AND days_ago <= 180)
