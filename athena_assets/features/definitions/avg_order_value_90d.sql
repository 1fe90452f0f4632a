/* ---
name: avg_order_value_90d
description: >-
  Mean value of a purchase in the 90 days before as_of. Returns are excluded, from the sum and from
  the count.
table: orders
dtype: DOUBLE
unit: currency
window: 90 days
null_policy: "null means no purchase in 90 days"
null_limit: 0.9
null_alert: 0.8
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: average order value over 90 days
  pivot: 150
  high: "average order of {value}"
  low: "average order of only {value}"
  missing: "no order in 90 days"
--- */
CAST(sum(total_order_amount) FILTER (WHERE is_purchase AND days_ago <= 90) AS DOUBLE)
    / nullif(count(*) FILTER (WHERE is_purchase AND days_ago <= 90), 0)
