/* Grain: one raw order line of the scope, with the code of the rule that decides about it.
   Inputs: {{raw}}; line_copies, line_reversals and earlier_lines, each of which has few rows: the lines stream past them.
   Output: every raw column, and
     amount               money of the row, source currency, DECIMAL(18,4); 0 where it has none
     repetition           1 for the first of equal lines in one pass through the file, 2 for the second, ...
     copy                 1 for the first delivery of a line in the scope, 2 and more for a repeated one
     times_known          how many equal lines earlier nights have kept
     order_known          whether an earlier night has kept a line of the same order
     minutes_to_reversal  minutes between a sale and the equal return by the same customer on the same
                          night; on both of the lines, NULL on all others
     {{as}}            the deciding rule */
WITH delivered AS NOT MATERIALIZED (
    SELECT *, coalesce({{amount}}, 0) AS amount
    FROM {{raw}}
    WHERE {{in_scope}}
),
earlier_equal AS (
    SELECT {{content}}, count(*) AS times
    FROM earlier_lines
    GROUP BY ALL
),
earlier_orders AS (
    SELECT DISTINCT order_id FROM earlier_lines
),
known AS (
    SELECT
        delivered.*,
        coalesce(line_copies.repetition, 1) AS repetition,
        coalesce(line_copies.copy, 1) AS copy,
        coalesce(earlier_equal.times, 0) AS times_known,
        earlier_orders.order_id IS NOT NULL AS order_known,
        line_reversals.minutes AS minutes_to_reversal
    FROM delivered
    LEFT JOIN line_copies
        ON line_copies.delivery_id = delivered.delivery_id AND line_copies.source_row = delivered.source_row
    LEFT JOIN line_reversals
        ON line_reversals.delivery_id = delivered.delivery_id AND line_reversals.source_row = delivered.source_row
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
