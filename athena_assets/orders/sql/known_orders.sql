/* Grain: one order of which the scope brings lines and an earlier night has kept some.
   Inputs: {{raw}}; the clean lines of earlier nights (none for the history). Output: order_id.
   Only the key is read of all earlier lines: most nights find nothing, and then nothing else is read. */
SELECT DISTINCT order_id
FROM ({{earlier_rows}})
WHERE order_id IN (SELECT order_id FROM {{raw}} WHERE {{in_scope}})
