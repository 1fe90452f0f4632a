/* ---
name: recency_days
description: >-
  Calendar days from the last purchase to as_of; 1 means the day that has just ended.
table: orders
dtype: INTEGER
unit: days
window: history
null_policy: "null means no purchase known"
bounds: [1, 36500]
owner: customer-insight
since: 1.0.0
words:
  phrase: days since last purchase
  pivot: 90
  high: "last bought {value} day{s} ago"
  low: "bought only {value} day{s} ago"
  missing: "has not bought yet"
--- */
min(days_ago) FILTER (WHERE is_purchase)
