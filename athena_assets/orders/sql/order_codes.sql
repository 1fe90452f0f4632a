/* Grain: one order of the scope that a rule of level order refuses, for a source that delivers order headers.
   Inputs: the lines as the line rules judged them (judged_lines.sql); the delivered headers of the scope.
   Output: order_id, and code, decided by
     order_total   sum of the order's merchandise that the line rules keep, source currency
     header_total  the delivered header's total, NULL where no header was delivered */
WITH totals AS (
    SELECT
        order_id,
        coalesce(sum(amount) FILTER (WHERE line_code IN ({{merchandise_codes}})), 0) AS order_total,
        min(header_total) AS header_total
    FROM (
        SELECT order_id, amount, line_code, NULL AS header_total
        FROM (
{{lines}}
        )
        UNION ALL
        SELECT order_id, NULL, NULL, total_order_amount
        FROM raw.orders{{suffix}}
        WHERE {{in_scope}} AND parse_error IS NULL AND order_id IS NOT NULL
    )
    GROUP BY order_id
),
judged AS (
    SELECT order_id, CASE {{order_cases}} END AS code FROM totals
)
SELECT order_id, code
FROM judged
WHERE code IS NOT NULL
