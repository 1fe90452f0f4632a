/* Population of a look-up: the customers that were asked for.
   Grain: one customer. Inputs: parameter $customers (VARCHAR[], distinct).
   Output: customer_id VARCHAR. */
SELECT unnest(CAST($customers AS VARCHAR[])) AS customer_id
