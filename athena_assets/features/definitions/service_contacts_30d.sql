/* ---
name: service_contacts_30d
description: >-
  Service contacts of any topic in the 30 days before as_of.
table: service_contacts
dtype: INTEGER
unit: contacts
window: 30 days
null_policy: "none allowed"
bounds: [0, 10000]
owner: customer-care
since: 1.0.0
words:
  phrase: service contacts in 30 days
  pivot: 1
  high: "{value} service contact{s} in the last 30 days"
  low: "only {value} service contact{s} in the last 30 days"
  zero: "no service contact in the last 30 days"
--- */
count(*) FILTER (WHERE days_ago <= 30)
