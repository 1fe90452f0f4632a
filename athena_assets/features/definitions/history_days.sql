/* ---
name: history_days
description: >-
  Days from the first order of the whole retailer to as_of, at most 365: how much of the past the
  windows could see.
table: context
dtype: INTEGER
unit: days
window: 365 days
null_policy: "null means no order of the retailer known"
bounds: [1, 365]
owner: customer-insight
since: 1.0.0
words:
  phrase: days of history seen
  pivot: 365
  high: "{value} day{s} of history seen"
  low: "only {value} day{s} of history seen"
  missing: "no history known"
--- */
-- Not least(), which ignores nulls and would call an unknown history a full year.
CASE WHEN retailer_days > 365 THEN 365 ELSE retailer_days END
