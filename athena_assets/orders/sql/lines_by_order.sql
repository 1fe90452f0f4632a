/* Grain: one order of the scope's clean lines, or one version. Inputs: {{clean_lines}}.
   Output: {{version}}; lines_total, its merchandise in the source's currency; item_count, merchandise units without
   sign; line_count, all kept lines; is_correction. */
SELECT
    {{version}},
    CAST(coalesce(sum(line_amount) FILTER (WHERE is_merchandise), 0) AS DECIMAL(18,4)) AS lines_total,
    CAST(coalesce(sum(abs(quantity)) FILTER (WHERE is_merchandise), 0) AS BIGINT) AS item_count,
    count(*) AS line_count,
    bool_or(is_correction) AS is_correction
FROM {{clean_lines}}
WHERE {{in_scope}}
GROUP BY {{version}}
