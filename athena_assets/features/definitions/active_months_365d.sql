/* ---
name: active_months_365d
description: >-
  Calendar months with a purchase in [as_of - 365 days, as_of), which reaches into at most 13.
table: orders
dtype: INTEGER
unit: months
window: 365 days
null_policy: "none allowed"
bounds: [0, 13]
owner: customer-insight
since: 1.1.0
words:
  phrase: months with a purchase
  pivot: 4
  high: "bought in {value} of the last 13 months"
  low: "bought in only {value} of the last 13 months"
  zero: "bought in none of the last 13 months"
--- */
coalesce(bit_count(bit_or(1 << (month_number % 13)) FILTER (WHERE is_purchase AND days_ago <= 365)), 0)
