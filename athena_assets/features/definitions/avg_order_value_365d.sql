/* ---
name: avg_order_value_365d
description: >-
  Mean value of a purchase in the 365 days before as_of. Returns are excluded, from the sum and from
  the count.
table: orders
dtype: DOUBLE
unit: currency
window: 365 days
null_policy: "null means no purchase in 365 days"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: average order value over 365 days
  pivot: 150
  high: "average order of {value}"
  low: "average order of only {value}"
  missing: "no order in 365 days"
--- */
CAST(sum(total_order_amount) FILTER (WHERE is_purchase AND days_ago <= 365) AS DOUBLE)
    / nullif(count(*) FILTER (WHERE is_purchase AND days_ago <= 365), 0)
