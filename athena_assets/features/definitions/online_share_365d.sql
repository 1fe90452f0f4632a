/* ---
name: online_share_365d
description: >-
  Share of purchases made anywhere but in a store, among those of the 365 days before as_of whose
  channel is known; an order without a channel counts on neither side.
table: orders
dtype: DOUBLE
unit: share
window: 365 days
null_policy: "null means no purchase with a known channel in 365 days"
bounds: [0, 1]
owner: customer-insight
since: 1.0.0
words:
  phrase: share of orders online
  pivot: 0.5
  high: "{percent} of orders online"
  low: "only {percent} of orders online"
  zero: "no order online"
  missing: "no order with a known channel in 365 days"
--- */
CAST(count(*) FILTER (WHERE is_purchase AND days_ago <= 365 AND is_online) AS DOUBLE)
    / nullif(count(is_online) FILTER (WHERE is_purchase AND days_ago <= 365), 0)
