/* ---
name: complaints_90d
description: >-
  Service contacts about delivery, quality or billing in the 90 days before as_of.
table: service_contacts
dtype: INTEGER
unit: contacts
window: 90 days
null_policy: "none allowed"
bounds: [0, 10000]
owner: customer-care
since: 1.0.0
words:
  phrase: complaints in 90 days
  pivot: 1
  high: "{value} complaint{s} in the last 90 days"
  low: "only {value} complaint{s} in the last 90 days"
  zero: "no complaint in the last 90 days"
--- */
count(*) FILTER (WHERE is_complaint AND days_ago <= 90)
