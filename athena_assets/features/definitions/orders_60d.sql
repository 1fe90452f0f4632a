/* ---
name: orders_60d
description: >-
  Purchases in the 60 days before as_of; returns are not counted.
table: orders
dtype: INTEGER
unit: orders
window: 60 days
null_policy: "none allowed"
bounds: [0, 100000]
owner: customer-insight
since: 1.0.0
words:
  phrase: orders in 60 days
  pivot: 1
  high: "{value} order{s} in the last 60 days"
  low: "only {value} order{s} in the last 60 days"
  zero: "no order in the last 60 days"
--- */
count(*) FILTER (WHERE is_purchase AND days_ago <= 60)
