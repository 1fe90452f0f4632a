/* Grain: one raw order line of the scope, for a source that delivers order headers.
   Inputs: the lines as the line rules judged them (judged_lines.sql); the delivered headers of the scope.
   Output: their columns, and
     order_total   sum of the order's merchandise that the line rules keep, source currency
     header_total  the delivered header's total, NULL where no header was delivered
     code          the deciding rule: the line rule's, or that of an order rule for a line it had kept */
WITH lines AS (
{{lines}}
),
order_totals AS (
    SELECT order_id, sum(amount) AS order_total
    FROM lines
    WHERE line_code IN ({{merchandise_codes}})
    GROUP BY order_id
),
headers AS (
    SELECT order_id, min(total_order_amount) AS header_total
    FROM raw.orders{{suffix}}
    WHERE {{in_scope}} AND parse_error IS NULL
    GROUP BY order_id
),
joined AS (
    SELECT lines.*, coalesce(order_totals.order_total, 0) AS order_total, headers.header_total
    FROM lines
    LEFT JOIN order_totals ON order_totals.order_id = lines.order_id
    LEFT JOIN headers ON headers.order_id = lines.order_id
)
SELECT
    *,
    CASE WHEN line_code NOT IN ({{line_kept_codes}}) THEN line_code {{order_cases}} ELSE line_code END AS code
FROM joined
