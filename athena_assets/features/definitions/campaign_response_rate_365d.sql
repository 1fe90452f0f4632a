/* ---
name: campaign_response_rate_365d
description: >-
  Share of the campaign contacts of the 365 days before as_of to which the customer responded.
table: campaign_contacts
dtype: DOUBLE
unit: share
window: 365 days
null_policy: "null means not contacted in 365 days"
null_limit: 0.8
null_alert: 0.7
bounds: [0, 1]
owner: campaigns
since: 1.0.0
words:
  phrase: campaign response rate
  pivot: 0.1
  high: "responds to {percent} of campaigns"
  low: "responds to only {percent} of campaigns"
  zero: "responds to no campaign"
  missing: "no campaign contact in 365 days"
--- */
CAST({campaign_responses_365d} AS DOUBLE)
    / nullif(count(*) FILTER (WHERE is_contacted AND days_ago <= 365), 0)
