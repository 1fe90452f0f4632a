/* ---
name: max_order_value_365d
description: >-
  Value of the largest purchase in the 365 days before as_of.
table: orders
dtype: DECIMAL(18,4)
unit: currency
window: 365 days
null_policy: "null means no purchase in 365 days"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: largest order of the year
  pivot: 300
  high: "largest order of the year {value}"
  low: "largest order of the year only {value}"
  missing: "no order in 365 days"
--- */
max(total_order_amount) FILTER (WHERE is_purchase AND days_ago <= 365)
