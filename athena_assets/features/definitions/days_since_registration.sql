/* ---
name: days_since_registration
description: >-
  Calendar days from registration (the first order, where the retailer keeps no register), as last
  known, to as_of.
table: customers
dtype: INTEGER
unit: days
window: none
null_policy: "null means not in the register"
bounds: [1, 36500]
owner: customer-data
since: 1.0.0
words:
  phrase: days since registration
  pivot: 365
  high: "registered {value} day{s} ago"
  low: "registered only {value} day{s} ago"
  missing: "not in the register"
--- */
arg_max(days_registered, known_at)
