/* ---
name: days_since_last_contact
description: >-
  Calendar days from the last service contact to as_of.
table: service_contacts
dtype: INTEGER
unit: days
window: history
null_policy: "null means never contacted service"
null_limit: 0.8
null_alert: 0.7
bounds: [1, 36500]
owner: customer-care
since: 1.0.0
words:
  phrase: days since last service contact
  pivot: 90
  high: "last contacted service {value} day{s} ago"
  low: "contacted service only {value} day{s} ago"
  missing: "never contacted service"
--- */
min(days_ago)
