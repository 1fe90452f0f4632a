/* ---
name: spend_365d
description: >-
  Value of the purchases in the 365 days before as_of, before returns; see returned_value_365d for
  those.
table: orders
dtype: DECIMAL(18,4)
unit: currency
window: 365 days
null_policy: "none allowed"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: spend in 365 days
  pivot: 600
  high: "spent {value} in the last 365 days"
  low: "spent only {value} in the last 365 days"
  zero: "spent nothing in the last 365 days"
--- */
coalesce(sum(total_order_amount) FILTER (WHERE is_purchase AND days_ago <= 365), 0)
