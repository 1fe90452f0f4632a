/* ---
name: items_per_order_365d
description: >-
  Mean number of pieces in a purchase of the 365 days before as_of.
table: orders
dtype: DOUBLE
unit: items
window: 365 days
null_policy: "null means no purchase in 365 days"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: items per order
  pivot: 20
  high: "{value} item{s} per order"
  low: "only {value} item{s} per order"
  missing: "no order in 365 days"
--- */
CAST({items_365d} AS DOUBLE) / nullif({orders_365d}, 0)
