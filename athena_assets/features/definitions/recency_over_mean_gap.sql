/* ---
name: recency_over_mean_gap
description: >-
  Days since the last purchase in units of the customer's own mean gap; above 1 the customer is
  late.
table: orders
dtype: DOUBLE
unit: ratio
window: history
null_policy: "null means fewer than two purchases, or all on one day"
null_limit: 0.7
null_alert: 0.6
bounds: [0, 36500]
owner: customer-insight
since: 1.0.0
words:
  phrase: days since last purchase against the usual gap
  pivot: 1
  high: "{value} times the usual gap since the last order"
  low: "only {value} times the usual gap since the last order"
  missing: "no usual gap between orders known"
--- */
{recency_days} / nullif({mean_gap_days}, 0)
