/* ---
table: campaign_contacts
source: orders.all_campaign_contacts
version_key: contact_id
event_time: contact_ts
grain: one campaign assignment whose response window had closed by the cutoff
columns:
  customer_id: the customer
  days_ago: calendar days from the assignment to as_of; 1 is the day that has just ended
  is_contacted: in the treatment arm; a holdout customer was assigned but never contacted
  is_response: contacted and responded
--- */
SELECT
    customer_id,
    CAST($as_of AS DATE) - CAST(contact_ts AS DATE) AS days_ago,
    arm = 'treatment' AS is_contacted,
    arm = 'treatment' AND response AS is_response
FROM orders.all_campaign_contacts
WHERE customer_id IS NOT NULL
    AND contact_ts < CAST($as_of AS TIMESTAMP)
    AND known_at <= CAST($cutoff AS TIMESTAMP)
