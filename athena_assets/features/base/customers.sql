/* ---
table: customers
source: orders.all_customers
version_key: null
event_time: registered_on
grain: one version of a customer that the night could have seen; (customer_id, known_at) is unique
columns:
  customer_id: the customer
  known_at: when this version became known; the latest counts
  days_registered: calendar days from registration to as_of
  country: the customer's country as the register writes it; null where it is unknown
--- */
SELECT
    customer_id,
    known_at,
    CAST($as_of AS DATE) - registered_on AS days_registered,
    country
FROM orders.all_customers
WHERE registered_on < CAST($as_of AS DATE)
    AND known_at <= CAST($cutoff AS TIMESTAMP)
