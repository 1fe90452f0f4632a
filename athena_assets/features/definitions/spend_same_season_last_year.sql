/* ---
name: spend_same_season_last_year
description: >-
  Value of the purchases in [as_of - 365 days, as_of - 275 days). 0 also where the retailer's
  history is shorter; history_days tells.
table: orders
dtype: DECIMAL(18,4)
unit: currency
window: days 276 to 365
null_policy: "none allowed"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: spend in the same season last year
  pivot: 100
  high: "spent {value} in this season last year"
  low: "spent only {value} in this season last year"
  zero: "spent nothing in this season last year"
--- */
coalesce(sum(total_order_amount) FILTER (WHERE is_purchase AND days_ago BETWEEN 276 AND 365), 0)
