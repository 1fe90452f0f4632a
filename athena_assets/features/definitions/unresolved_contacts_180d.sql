/* ---
name: unresolved_contacts_180d
description: >-
  Service contacts of the 180 days before as_of that were not resolved when they were delivered.
table: service_contacts
dtype: INTEGER
unit: contacts
window: 180 days
null_policy: "none allowed"
bounds: [0, 10000]
owner: customer-care
since: 1.0.0
words:
  phrase: unresolved service contacts
  pivot: 1
  high: "{value} service contact{s} left unresolved"
  low: "only {value} service contact{s} left unresolved"
  zero: "no service contact left unresolved"
--- */
count(*) FILTER (WHERE NOT is_resolved AND days_ago <= 180)
