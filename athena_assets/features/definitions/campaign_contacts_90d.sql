/* ---
name: campaign_contacts_90d
description: >-
  Campaign contacts in the 90 days before as_of whose response window had closed by the cutoff;
  holdout customers were not contacted.
table: campaign_contacts
dtype: INTEGER
unit: contacts
window: 90 days
null_policy: "none allowed"
bounds: [0, 1000]
owner: campaigns
since: 1.0.0
words:
  phrase: campaign contacts in 90 days
  pivot: 2
  high: "{value} campaign contact{s} in the last 90 days"
  low: "only {value} campaign contact{s} in the last 90 days"
  zero: "no campaign contact in the last 90 days"
--- */
count(*) FILTER (WHERE is_contacted AND days_ago <= 90)
