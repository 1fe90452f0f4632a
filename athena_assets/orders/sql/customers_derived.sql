/* Grain: one version of a customer: the night on which it was first seen, and each later one on which its
   country changed. Inputs: the clean lines of the scope, for a night also the versions known before; for
   sources without a customer register.
   Output: orders.customers; registered_on the day of the first order known then; country that of the
   latest line of the night. */
WITH seen AS (
    SELECT
        night,
        customer_id,
        max(known_at) AS known_at,
        min(CAST(order_ts AS DATE)) AS first_day,
        arg_max(country, (order_ts, delivery_id, source_row)) AS country
    FROM {{clean_lines}}
    WHERE {{in_scope}} AND customer_id IS NOT NULL
    GROUP BY night, customer_id
),
earlier AS (
    SELECT customer_id, arg_max(registered_on, night) AS registered_on, arg_max(country, night) AS country
    FROM ({{earlier_rows}})
    WHERE customer_id IN (SELECT customer_id FROM seen)
    GROUP BY customer_id
),
versions AS (
    SELECT
        seen.night,
        seen.customer_id,
        seen.known_at,
        coalesce(
            earlier.registered_on,
            first_value(seen.first_day) OVER (PARTITION BY seen.customer_id ORDER BY seen.night)
        ) AS registered_on,
        seen.country,
        earlier.customer_id IS NULL
            AND row_number() OVER (PARTITION BY seen.customer_id ORDER BY seen.night) = 1 AS is_new,
        coalesce(
            lag(seen.country IGNORE NULLS) OVER (PARTITION BY seen.customer_id ORDER BY seen.night), earlier.country
        ) AS country_before
    FROM seen
    LEFT JOIN earlier ON earlier.customer_id = seen.customer_id
)
SELECT night, customer_id, known_at, registered_on, coalesce(country, country_before) AS country
FROM versions
WHERE is_new OR (country IS NOT NULL AND country IS DISTINCT FROM country_before)
ORDER BY night, customer_id
