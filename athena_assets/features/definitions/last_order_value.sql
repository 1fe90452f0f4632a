/* ---
name: last_order_value
description: >-
  Value of the last purchase; of several at the same instant the largest.
table: orders
dtype: DECIMAL(18,4)
unit: currency
window: history
null_policy: "null means no purchase known"
bounds: [0, null]
owner: customer-insight
since: 1.0.0
words:
  phrase: value of the last order
  pivot: 150
  high: "last order worth {value}"
  low: "last order worth only {value}"
  missing: "has not bought yet"
--- */
CAST(
    (max(instant_and_amount) FILTER (WHERE is_purchase) & 2305843009213693951) - 1152921504606846976
AS DECIMAL(19, 0)) * 0.0001
