/* ---
name: return_rate_365d
description: >-
  Returns among all orders and returns of the 365 days before as_of.
table: orders
dtype: DOUBLE
unit: share
window: 365 days
null_policy: "null means neither a purchase nor a return in 365 days"
bounds: [0, 1]
owner: customer-insight
since: 1.0.0
words:
  phrase: share of returns
  pivot: 0.1
  high: "{percent} of orders are returns"
  low: "only {percent} of orders are returns"
  zero: "no order returned"
  missing: "no order in 365 days"
--- */
CAST({return_count_365d} AS DOUBLE) / nullif({return_count_365d} + {orders_365d}, 0)
