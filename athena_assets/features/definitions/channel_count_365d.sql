/* ---
name: channel_count_365d
description: >-
  How many of the channels web, app, store and other the customer bought through in the 365 days
  before as_of; unknown channels are not counted.
table: orders
dtype: INTEGER
unit: channels
window: 365 days
null_policy: "none allowed"
bounds: [0, 4]
owner: customer-insight
since: 1.0.0
words:
  phrase: channels used
  pivot: 2
  high: "buys through {value} channel{s}"
  low: "buys through only {value} channel{s}"
  zero: "no order with a known channel in 365 days"
--- */
coalesce(bit_count(bit_or(channel_bit) FILTER (WHERE is_purchase AND days_ago <= 365)), 0)
