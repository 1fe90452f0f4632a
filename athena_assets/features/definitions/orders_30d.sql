/* ---
name: orders_30d
description: >-
  Purchases in the 30 days before as_of; returns are not counted.
table: orders
dtype: INTEGER
unit: orders
window: 30 days
null_policy: "none allowed"
bounds: [0, 100000]
owner: customer-insight
since: 1.0.0
words:
  phrase: orders in 30 days
  pivot: 1
  high: "{value} order{s} in the last 30 days"
  low: "only {value} order{s} in the last 30 days"
  zero: "no order in the last 30 days"
--- */
count(*) FILTER (WHERE is_purchase AND days_ago <= 30)
