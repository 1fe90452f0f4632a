/* Grain: one hash that more than one raw line of the scope has. Inputs: {{raw}}. Output: fingerprint.
   The hash only narrows the search for equal lines; the columns themselves decide. */
SELECT hash({{copied}}) AS fingerprint
FROM {{raw}}
WHERE {{in_scope}}
GROUP BY fingerprint
HAVING count(*) > 1
