/* Grain: one raw line of the scope at which the time of its delivery runs backwards. Inputs: {{raw}}.
   Output: delivery_id, source_row: where an export starts again from an earlier point, a new pass begins.
   A line is held against the one before it in pieces of a million rows, so that no window holds a whole delivery. */
WITH pieces AS NOT MATERIALIZED (
    SELECT delivery_id, source_row // 1000000 AS piece, source_row, order_ts
    FROM {{raw}}
    WHERE {{in_scope}}
),
edges AS (
    SELECT delivery_id, piece, lag(last_ts) OVER (PARTITION BY delivery_id ORDER BY piece) AS ts_before
    FROM (
        SELECT delivery_id, piece, arg_max_null(order_ts, source_row) AS last_ts
        FROM pieces
        GROUP BY delivery_id, piece
    )
),
steps AS (
    SELECT
        delivery_id,
        piece,
        source_row,
        order_ts,
        lag(order_ts) OVER (PARTITION BY delivery_id, piece ORDER BY source_row) AS ts_before,
        row_number() OVER (PARTITION BY delivery_id, piece ORDER BY source_row) AS place
    FROM pieces
)
SELECT steps.delivery_id, steps.source_row
FROM steps
JOIN edges ON edges.delivery_id = steps.delivery_id AND edges.piece = steps.piece
WHERE steps.order_ts < CASE WHEN steps.place = 1 THEN edges.ts_before ELSE steps.ts_before END
