/* Grain: one raw line of the scope that says again what another says.
   Inputs: {{raw}}, line_fingerprints, line_passes.
   Output: delivery_id, source_row, and
     repetition  1 for the first of equal lines in one pass through the file, 2 for the second, ...
     copy        1 for the first delivery of a line in the scope, 2 and more for a repeated one
   A pass is a stretch of a file in which time does not run backwards: an export that starts again from an earlier
   point delivers the same lines in a second pass, while "one more of this" stays in the pass of its order. */
WITH candidates AS (
    SELECT known_at, delivery_id, source_row, {{copied}}
    FROM {{raw}}
    WHERE {{in_scope}} AND hash({{copied}}) IN (SELECT fingerprint FROM line_fingerprints)
),
passes AS (
    SELECT
        delivery_id,
        source_row,
        begins,
        sum(begins) OVER (PARTITION BY delivery_id ORDER BY source_row) AS pass
    FROM (
        SELECT delivery_id, source_row, 0 AS begins FROM candidates
        UNION ALL
        SELECT delivery_id, source_row, 1 FROM line_passes
    )
),
numbered AS (
    SELECT
        candidates.*,
        row_number() OVER (
            PARTITION BY candidates.delivery_id, passes.pass, {{copied}}
            ORDER BY candidates.source_row
        ) AS repetition
    FROM candidates
    JOIN passes
        ON passes.delivery_id = candidates.delivery_id
        AND passes.source_row = candidates.source_row
        AND passes.begins = 0
),
copied AS (
    SELECT
        delivery_id,
        source_row,
        repetition,
        row_number() OVER (PARTITION BY repetition, {{copied}} ORDER BY known_at, delivery_id, source_row) AS copy
    FROM numbered
)
SELECT delivery_id, source_row, repetition, copy
FROM copied
WHERE repetition > 1 OR copy > 1
