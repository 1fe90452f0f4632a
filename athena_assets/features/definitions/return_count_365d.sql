/* ---
name: return_count_365d
description: >-
  Returns in the 365 days before as_of.
table: orders
dtype: INTEGER
unit: orders
window: 365 days
null_policy: "none allowed"
bounds: [0, 100000]
owner: customer-insight
since: 1.0.0
words:
  phrase: returns in a year
  pivot: 1
  high: "{value} return{s} in the last year"
  low: "only {value} return{s} in the last year"
  zero: "no return in the last year"
--- */
count(*) FILTER (WHERE is_return AND days_ago <= 365)
