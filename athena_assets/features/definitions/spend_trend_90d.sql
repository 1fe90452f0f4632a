/* ---
name: spend_trend_90d
description: >-
  Share of the last 180 days' spend that fell in the latest 90; 0.5 is steady.
table: orders
dtype: DOUBLE
unit: share
window: 180 days
null_policy: "null means nothing spent in 180 days"
null_limit: 0.8
null_alert: 0.7
bounds: [0, 1]
owner: customer-insight
since: 1.0.0
words:
  phrase: share of half-year spend in the latest 90 days
  pivot: 0.5
  high: "{percent} of the half-year's spend in the latest 90 days"
  low: "only {percent} of the half-year's spend in the latest 90 days"
  zero: "none of the half-year's spend in the latest 90 days"
  missing: "nothing spent in 180 days"
--- */
CAST({spend_90d} AS DOUBLE) / nullif({spend_180d}, 0)
