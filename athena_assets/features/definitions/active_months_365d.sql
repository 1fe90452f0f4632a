/* ---
name: active_months_365d
description: >-
  In how many of the last 13 months of 30 days, counted back from as_of and cut off at 365 days, the
  customer bought.
table: orders
dtype: INTEGER
unit: months
window: 365 days
null_policy: "none allowed"
bounds: [0, 13]
owner: customer-insight
since: 1.0.0
words:
  phrase: months with a purchase
  pivot: 4
  high: "bought in {value} of the last 13 months"
  low: "bought in only {value} of the last 13 months"
  zero: "bought in none of the last 13 months"
--- */
coalesce(bit_count(bit_or(1 << ((days_ago - 1) // 30)) FILTER (WHERE is_purchase AND days_ago <= 365)), 0)
