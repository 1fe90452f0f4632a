/* Grain: one version of a product: the night on which it was first sold, and each later one on which its
   description changed. Inputs: the clean lines of the scope with their raw descriptions, for a night also the
   versions known before; for sources without a product register.
   Output: orders.products; description that of the latest described line of the night; list_price the
   median price of its sales on that night, a price that was really asked, NULL where none was sold (source
   currency); category NULL, because nothing delivered says it. */
WITH seen AS (
    SELECT
        line.night,
        line.product_id,
        max(line.known_at) AS known_at,
        arg_max(raw_line.description, (line.order_ts, line.delivery_id, line.source_row)) AS description,
        quantile_disc(line.unit_price, 0.5) FILTER (WHERE line.unit_price > 0 AND NOT line.is_return) AS price
    FROM (SELECT * FROM {{clean_lines}} WHERE {{in_scope}}) AS line
    JOIN (SELECT delivery_id, source_row, description FROM {{raw}} WHERE {{in_scope}}) AS raw_line
        ON raw_line.delivery_id = line.delivery_id AND raw_line.source_row = line.source_row
    GROUP BY line.night, line.product_id
),
earlier AS (
    SELECT product_id, arg_max(description, night) AS description
    FROM ({{earlier_rows}})
    WHERE product_id IN (SELECT product_id FROM seen)
    GROUP BY product_id
),
versions AS (
    SELECT
        seen.*,
        earlier.product_id IS NULL
            AND row_number() OVER (PARTITION BY seen.product_id ORDER BY seen.night) = 1 AS is_new,
        coalesce(
            lag(seen.description IGNORE NULLS) OVER (PARTITION BY seen.product_id ORDER BY seen.night),
            earlier.description
        ) AS description_before
    FROM seen
    LEFT JOIN earlier ON earlier.product_id = seen.product_id
)
SELECT
    night,
    product_id,
    known_at,
    coalesce(description, description_before) AS description,
    CAST(NULL AS VARCHAR) AS category,
    CAST(price AS DECIMAL(18,4)) AS list_price
FROM versions
WHERE is_new OR (description IS NOT NULL AND description IS DISTINCT FROM description_before)
ORDER BY night, product_id
