/* Grain: one order of the scope's clean lines. Inputs: {{clean_lines}}.
   Output: order_id; lines_total, its merchandise in the source's currency; item_count, merchandise units without sign;
   line_count, all kept lines. */
SELECT
    order_id,
    CAST(coalesce(sum(line_amount) FILTER (WHERE is_merchandise), 0) AS DECIMAL(18,4)) AS lines_total,
    CAST(coalesce(sum(abs(quantity)) FILTER (WHERE is_merchandise), 0) AS BIGINT) AS item_count,
    count(*) AS line_count
FROM {{clean_lines}}
WHERE {{in_scope}}
GROUP BY order_id
