/* ---
name: mean_gap_days
description: >-
  Mean number of days between one purchase and the next.
table: orders
dtype: DOUBLE
unit: days
window: history
null_policy: "null means fewer than two purchases"
null_limit: 0.7
null_alert: 0.6
bounds: [0, 36500]
owner: customer-insight
since: 1.0.0
words:
  phrase: usual days between purchases
  pivot: 60
  high: "usually {value} day{s} between orders"
  low: "usually only {value} day{s} between orders"
  missing: "fewer than two orders so far"
--- */
CAST(max(days_ago) FILTER (WHERE is_purchase) - min(days_ago) FILTER (WHERE is_purchase) AS DOUBLE)
    / nullif(count(*) FILTER (WHERE is_purchase) - 1, 0)
