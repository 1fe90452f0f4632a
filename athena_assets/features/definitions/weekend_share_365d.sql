/* ---
name: weekend_share_365d
description: >-
  Share of the purchases of the 365 days before as_of that were made on a Saturday or Sunday.
table: orders
dtype: DOUBLE
unit: share
window: 365 days
null_policy: "null means no purchase in 365 days"
bounds: [0, 1]
owner: customer-insight
since: 1.0.0
words:
  phrase: share of orders on weekends
  pivot: 0.3
  high: "{percent} of orders on weekends"
  low: "only {percent} of orders on weekends"
  zero: "no order on weekends"
  missing: "no order in 365 days"
--- */
CAST(count(*) FILTER (WHERE is_purchase AND days_ago <= 365 AND is_weekend) AS DOUBLE)
    / nullif({orders_365d}, 0)
