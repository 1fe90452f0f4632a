/* ---
name: is_domestic
description: >-
  Whether the customer's country, as last known, is the country of the business.
table: customers
dtype: BOOLEAN
unit: flag
window: none
null_policy: "null means the customer's country is not known"
bounds: [0, 1]
owner: customer-data
since: 1.0.0
words:
  phrase: domestic customer
  pivot: 1
  high: "domestic customer"
  low: "customer abroad"
  missing: "country not known"
--- */
arg_max(country, known_at) = CAST($business_country AS VARCHAR)
