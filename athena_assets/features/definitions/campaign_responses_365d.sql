/* ---
name: campaign_responses_365d
description: >-
  Campaign contacts of the 365 days before as_of to which the customer responded.
table: campaign_contacts
dtype: INTEGER
unit: contacts
window: 365 days
null_policy: "none allowed"
bounds: [0, 1000]
owner: campaigns
since: 1.0.0
words:
  phrase: campaign responses in a year
  pivot: 1
  high: "responded to {value} campaign{s} in the last year"
  low: "responded to only {value} campaign{s} in the last year"
  zero: "responded to no campaign in the last year"
--- */
count(*) FILTER (WHERE is_response AND days_ago <= 365)
