/* Grain: one raw order line of the scope, with the code of the rule that decides about it.
   Inputs: {{raw}}; the clean lines of earlier nights (none for the history).
   Output: every raw column, and
     amount               money of the row, source currency, DECIMAL(18,4); 0 where it has none
     repetition           1 for the first of equal lines in one pass through the file, 2 for the second, ...
     copy                 1 for the first delivery of a line in the scope, 2 and more for a repeated one
     times_known          how many equal lines earlier nights have kept
     order_known          whether an earlier night has kept a line of the same order
     minutes_to_reversal  minutes between a sale and the equal return by the same customer on the same
                          night; on both of the lines, NULL on all others
     {{as}}            the deciding rule
   A pass is a stretch of a file in which time does not run backwards: an export that starts again from an
   earlier point delivers the same lines in a second pass, while "one more of this" stays in the pass of its
   order. Equal lines are looked for among those whose hash occurs more than once; the hash only narrows the
   search, the columns themselves decide. */
WITH delivered AS NOT MATERIALIZED (
    SELECT
        *,
        coalesce({{amount}}, 0) AS amount,
        hash(order_id, product_id, quantity, unit_price, order_ts, customer_id, country) AS fingerprint
    FROM {{raw}}
    WHERE {{in_scope}}
),
passes AS (
    SELECT
        delivery_id,
        source_row,
        sum(step_back) OVER (PARTITION BY delivery_id ORDER BY source_row) AS pass
    FROM (
        SELECT
            delivery_id,
            source_row,
            CASE
                WHEN order_ts < lag(order_ts) OVER (PARTITION BY delivery_id ORDER BY source_row) THEN 1
                ELSE 0
            END AS step_back
        FROM delivered
    )
),
candidates AS (
    SELECT
        known_at, delivery_id, source_row,
        order_id, product_id, quantity, unit_price, order_ts, customer_id, country
    FROM delivered
    WHERE fingerprint IN (SELECT fingerprint FROM delivered GROUP BY fingerprint HAVING count(*) > 1)
),
numbered AS (
    SELECT
        candidates.*,
        row_number() OVER (
            PARTITION BY
                candidates.delivery_id, passes.pass,
                order_id, product_id, quantity, unit_price, order_ts, customer_id, country
            ORDER BY candidates.source_row
        ) AS repetition
    FROM candidates
    JOIN passes
        ON passes.delivery_id = candidates.delivery_id AND passes.source_row = candidates.source_row
),
copies AS (
    SELECT
        delivery_id,
        source_row,
        repetition,
        row_number() OVER (
            PARTITION BY
                repetition, order_id, product_id, quantity, unit_price, order_ts, customer_id, country
            ORDER BY known_at, delivery_id, source_row
        ) AS copy
    FROM numbered
),
earlier AS (
    SELECT order_id, product_id, quantity, unit_price, order_ts, customer_id, country
    FROM ({{earlier_lines}})
    WHERE order_id IN (SELECT order_id FROM delivered)
),
earlier_equal AS (
    SELECT order_id, product_id, quantity, unit_price, order_ts, customer_id, country, count(*) AS times
    FROM earlier
    GROUP BY ALL
),
earlier_orders AS (
    SELECT DISTINCT order_id FROM earlier
),
reversed_pairs AS (
    SELECT
        sale.delivery_id AS sale_delivery,
        sale.source_row AS sale_row,
        back.delivery_id AS back_delivery,
        back.source_row AS back_row,
        (epoch_us(back.order_ts) - epoch_us(sale.order_ts)) // 60000000 AS minutes
    FROM delivered AS sale
    JOIN delivered AS back
        ON back.customer_id = sale.customer_id
        AND back.product_id = sale.product_id
        AND back.unit_price = sale.unit_price
        AND back.night = sale.night
        AND back.quantity = -sale.quantity
        AND back.order_ts >= sale.order_ts
    WHERE sale.quantity > 0 AND back.quantity < 0
),
reversals AS (
    SELECT delivery_id, source_row, min(minutes) AS minutes
    FROM (
        SELECT sale_delivery AS delivery_id, sale_row AS source_row, minutes FROM reversed_pairs
        UNION ALL
        SELECT back_delivery, back_row, minutes FROM reversed_pairs
    )
    GROUP BY delivery_id, source_row
),
known AS (
    SELECT
        delivered.*,
        coalesce(copies.repetition, 1) AS repetition,
        coalesce(copies.copy, 1) AS copy,
        coalesce(earlier_equal.times, 0) AS times_known,
        earlier_orders.order_id IS NOT NULL AS order_known,
        reversals.minutes AS minutes_to_reversal
    FROM delivered
    LEFT JOIN copies
        ON copies.delivery_id = delivered.delivery_id AND copies.source_row = delivered.source_row
    LEFT JOIN reversals
        ON reversals.delivery_id = delivered.delivery_id AND reversals.source_row = delivered.source_row
    LEFT JOIN earlier_orders ON earlier_orders.order_id = delivered.order_id
    LEFT JOIN earlier_equal
        ON earlier_equal.order_id = delivered.order_id
        AND earlier_equal.product_id = delivered.product_id
        AND earlier_equal.quantity = delivered.quantity
        AND earlier_equal.unit_price = delivered.unit_price
        AND earlier_equal.order_ts = delivered.order_ts
        AND earlier_equal.customer_id IS NOT DISTINCT FROM delivered.customer_id
        AND earlier_equal.country IS NOT DISTINCT FROM delivered.country
)
SELECT *, {{line_code}} AS {{as}}
FROM known
