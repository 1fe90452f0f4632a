/* ---
name: tenure_days
description: >-
  Calendar days from the first purchase to as_of.
table: orders
dtype: INTEGER
unit: days
window: history
null_policy: "null means no purchase known"
bounds: [1, 36500]
owner: customer-insight
since: 1.0.0
words:
  phrase: days since first purchase
  pivot: 365
  high: "customer for {value} day{s}"
  low: "customer for only {value} day{s}"
  missing: "has not bought yet"
--- */
max(days_ago) FILTER (WHERE is_purchase)
