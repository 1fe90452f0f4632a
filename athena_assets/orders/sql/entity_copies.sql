/* Grain: one raw row of the scope that is not the first of its identity ({{identity}}). Inputs: {{raw}}.
   Output: delivery_id, source_row, copy (2, 3, ...). */
WITH repeated AS (
    SELECT hash({{identity}}) AS fingerprint
    FROM {{raw}}
    WHERE {{in_scope}}
    GROUP BY fingerprint
    HAVING count(*) > 1
),
numbered AS (
    SELECT
        delivery_id,
        source_row,
        row_number() OVER (PARTITION BY {{identity}} ORDER BY known_at, delivery_id, source_row) AS copy
    FROM {{raw}}
    WHERE {{in_scope}} AND hash({{identity}}) IN (SELECT fingerprint FROM repeated)
)
SELECT delivery_id, source_row, copy
FROM numbered
WHERE copy > 1
