/* ---
name: days_since_last_return
description: >-
  Calendar days from the last return to as_of.
table: orders
dtype: INTEGER
unit: days
window: history
null_policy: "null means never returned anything"
null_limit: 0.9
null_alert: 0.8
bounds: [1, 36500]
owner: customer-insight
since: 1.0.0
words:
  phrase: days since last return
  pivot: 90
  high: "last return {value} day{s} ago"
  low: "a return only {value} day{s} ago"
  missing: "never returned anything"
--- */
min(days_ago) FILTER (WHERE is_return)
