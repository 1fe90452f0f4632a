/* ---
name: service_contacts_90d
description: >-
  Service contacts of any topic in the 90 days before as_of.
table: service_contacts
dtype: INTEGER
unit: contacts
window: 90 days
null_policy: "none allowed"
bounds: [0, 10000]
owner: customer-care
since: 1.0.0
words:
  phrase: service contacts in 90 days
  pivot: 1
  high: "{value} service contact{s} in the last 90 days"
  low: "only {value} service contact{s} in the last 90 days"
  zero: "no service contact in the last 90 days"
--- */
count(*) FILTER (WHERE days_ago <= 90)
