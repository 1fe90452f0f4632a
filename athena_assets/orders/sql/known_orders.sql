/* Grain: one order of which the scope brings lines and an earlier night has kept some.
   Inputs: {{raw}}; order_nights; the clean lines of earlier nights (none for the history).
   Output: order_id; nights, those that have kept some of it; order_known, true, said of the key so that column lineage
   leads to it.
   Only two columns are read of earlier lines: most nights find nothing, and then nothing else is read. */
SELECT order_id, list(DISTINCT night ORDER BY night) AS nights, order_id IS NOT NULL AS order_known
FROM ({{earlier_rows}})
WHERE night IN (SELECT night FROM order_nights) AND order_id IN (SELECT order_id FROM {{raw}} WHERE {{in_scope}})
GROUP BY order_id
