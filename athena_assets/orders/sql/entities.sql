/* Grain: one kept row of a delivered register or contact table. Inputs: its judged rows (judged_rows.sql).
   Output: the clean table's columns, as delivered. */
SELECT {{columns}}
FROM (
{{judged}}
)
WHERE code IN ({{kept_codes}})
ORDER BY {{order_by}}
