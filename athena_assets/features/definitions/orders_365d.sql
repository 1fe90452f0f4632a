/* ---
name: orders_365d
description: >-
  Purchases in the 365 days before as_of; returns are not counted.
table: orders
dtype: INTEGER
unit: orders
window: 365 days
null_policy: "none allowed"
bounds: [0, 100000]
owner: customer-insight
since: 1.0.0
words:
  phrase: orders in 365 days
  pivot: 3
  high: "{value} order{s} in the last 365 days"
  low: "only {value} order{s} in the last 365 days"
  zero: "no order in the last 365 days"
--- */
count(*) FILTER (WHERE is_purchase AND days_ago <= 365)
