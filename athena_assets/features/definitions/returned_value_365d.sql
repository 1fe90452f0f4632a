/* ---
name: returned_value_365d
description: >-
  Value taken back in the 365 days before as_of, as a positive amount.
table: orders
dtype: DECIMAL(18,4)
unit: currency
window: 365 days
null_policy: "none allowed"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: value returned in a year
  pivot: 50
  high: "returned goods worth {value} in the last year"
  low: "returned goods worth only {value} in the last year"
  zero: "nothing returned in the last year"
--- */
coalesce(-sum(total_order_amount) FILTER (WHERE is_return AND days_ago <= 365), 0)
