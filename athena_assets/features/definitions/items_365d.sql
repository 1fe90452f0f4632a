/* ---
name: items_365d
description: >-
  Pieces bought in the 365 days before as_of, before returns.
table: orders
dtype: BIGINT
unit: items
window: 365 days
null_policy: "none allowed"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: items in a year
  pivot: 100
  high: "{value} item{s} in the last year"
  low: "only {value} item{s} in the last year"
  zero: "no item in the last year"
--- */
coalesce(sum(item_count) FILTER (WHERE is_purchase AND days_ago <= 365), 0)
