/* Grain: one order of the scope that a rule of level order refuses, for a source that delivers order headers; where it
   corrects orders, one version.
   Inputs: the lines as the line rules judged them; the delivered headers as those of their rules judged them that look
   at nothing but the header (judged_rows.sql).
   Output: {{version}}, and code, decided by
     order_total   sum of the order's merchandise that the line rules keep, source currency
     header_total  the delivered header's total, NULL where these rules keep no header: lines whose header waits for a
                   person wait with it, or a correction of both would look like a repetition */
WITH totals AS (
    SELECT
        {{version}},
        coalesce(sum(amount) FILTER (WHERE line_code IN ({{merchandise_codes}})), 0) AS order_total,
        min(header_total) AS header_total
    FROM (
        SELECT {{version}}, amount, line_code, NULL AS header_total
        FROM (
{{lines}}
        )
        UNION ALL
        SELECT {{version}}, NULL, NULL, total_order_amount
        FROM (
{{headers}}
        )
        WHERE header_code IN ({{header_kept_codes}})
    )
    GROUP BY {{version}}
),
judged AS (
    SELECT {{version}}, {{code}} AS code FROM totals
)
SELECT {{version}}, code
FROM judged
WHERE code IS NOT NULL
