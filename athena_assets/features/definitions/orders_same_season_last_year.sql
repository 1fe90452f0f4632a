/* ---
name: orders_same_season_last_year
description: >-
  Purchases in [as_of - 365 days, as_of - 275 days): the next 90 days as they were a year ago. 0
  also where the retailer's history is shorter; history_days tells.
table: orders
dtype: INTEGER
unit: orders
window: days 276 to 365
null_policy: "none allowed"
bounds: [0, 100000]
owner: customer-insight
since: 1.0.0
words:
  phrase: orders in the same season last year
  pivot: 1
  high: "{value} order{s} in this season last year"
  low: "only {value} order{s} in this season last year"
  zero: "no order in this season last year"
--- */
count(*) FILTER (WHERE is_purchase AND days_ago BETWEEN 276 AND 365)
