/* Grain: one identity ({{identity}}) that an earlier night has kept and that the scope may bring again.
   Inputs: {{raw}}; the clean rows of earlier nights (none for the history). Output: {{identity}}. */
SELECT DISTINCT {{identity}}
FROM ({{earlier_rows}})
WHERE {{key}} IN (SELECT {{key}} FROM {{raw}} WHERE {{in_scope}})
