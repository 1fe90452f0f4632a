/* ---
name: previous_gap_days
description: >-
  Calendar days between the last purchase and the one before it; 0 when both were on one day.
table: orders
dtype: INTEGER
unit: days
window: history
null_policy: "null means fewer than two purchases"
null_limit: 0.7
null_alert: 0.6
bounds: [0, 36500]
owner: customer-insight
since: 1.0.0
words:
  phrase: days between the last two purchases
  pivot: 60
  high: "{value} day{s} between the last two orders"
  low: "only {value} day{s} between the last two orders"
  zero: "the last two orders on one day"
  missing: "fewer than two orders so far"
--- */
min(days_ago, 2) FILTER (WHERE is_purchase)[2] - min(days_ago) FILTER (WHERE is_purchase)
