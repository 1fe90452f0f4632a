/* Grain: one identity ({{identity}}) that an earlier night has kept and that the scope may bring again.
   Inputs: {{raw}}; the clean rows of earlier nights (none for the history).
   Output: {{identity}}; known_before, true, said of the key so that column lineage leads to it. */
SELECT DISTINCT {{identity}}, {{key}} IS NOT NULL AS known_before
FROM ({{earlier_rows}})
WHERE {{key}} IN (SELECT {{key}} FROM {{raw}} WHERE {{in_scope}})
