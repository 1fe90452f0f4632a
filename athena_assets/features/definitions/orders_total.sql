/* ---
name: orders_total
description: >-
  Purchases in all the history that the night could have seen; returns are not counted.
table: orders
dtype: INTEGER
unit: orders
window: history
null_policy: "none allowed"
bounds: [0, 1000000]
owner: customer-insight
since: 1.0.0
words:
  phrase: orders ever
  pivot: 5
  high: "{value} order{s} so far"
  low: "only {value} order{s} so far"
  zero: "no order so far"
--- */
count(*) FILTER (WHERE is_purchase)
