/* ---
name: spend_180d
description: >-
  Value of the purchases in the 180 days before as_of, before returns; see returned_value_365d for
  those.
table: orders
dtype: DECIMAL(18,4)
unit: currency
window: 180 days
null_policy: "none allowed"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: spend in 180 days
  pivot: 300
  high: "spent {value} in the last 180 days"
  low: "spent only {value} in the last 180 days"
  zero: "spent nothing in the last 180 days"
--- */
coalesce(sum(total_order_amount) FILTER (WHERE is_purchase AND days_ago <= 180), 0)
