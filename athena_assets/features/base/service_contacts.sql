/* ---
table: service_contacts
source: orders.all_service_contacts
version_key: contact_id
event_time: contact_ts
grain: one service contact that the night could have seen
columns:
  customer_id: the customer
  days_ago: calendar days from the contact to as_of; 1 is the day that has just ended
  is_complaint: about delivery, quality or billing (a question is no complaint)
  is_resolved: whether the contact was resolved when it was delivered
--- */
SELECT
    customer_id,
    CAST($as_of AS DATE) - CAST(contact_ts AS DATE) AS days_ago,
    topic IN ('delivery', 'quality', 'billing') AS is_complaint,
    is_resolved
FROM orders.all_service_contacts
WHERE customer_id IS NOT NULL
    AND contact_ts < CAST($as_of AS TIMESTAMP)
    AND known_at <= CAST($cutoff AS TIMESTAMP)
