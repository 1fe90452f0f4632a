/* ---
name: november_december_share_365d
description: >-
  Share of the purchases of the 365 days before as_of that were made in November or December.
table: orders
dtype: DOUBLE
unit: share
window: 365 days
null_policy: "null means no purchase in 365 days"
bounds: [0, 1]
owner: customer-insight
since: 1.0.0
words:
  phrase: share of orders before Christmas
  pivot: 0.3
  high: "{percent} of orders in November and December"
  low: "only {percent} of orders in November and December"
  zero: "no order in November and December"
  missing: "no order in 365 days"
--- */
CAST(count(*) FILTER (WHERE is_purchase AND days_ago <= 365 AND month_of_year >= 11) AS DOUBLE)
    / nullif({orders_365d}, 0)
