/* Grain: one raw row of the scope of any table but order lines, with the code of the rule that decides.
   Inputs: {{raw}}; the clean rows of earlier nights (none for the history); for order headers the clean
   lines of the same scope, which are written first.
   Output: every raw column, and
     amount        money of the row, source currency, DECIMAL(18,4); 0 where it has none
     copy          1 for the first row of an identity ({{identity}}) in the scope, then 2, 3, ...
     known_before  whether an earlier night has kept a row of that identity
     lines_total   merchandise of the order's clean lines, NULL when it has none (order headers only)
     code          the deciding rule */
WITH delivered AS (
    SELECT
        *,
        coalesce({{amount}}, 0) AS amount,
        row_number() OVER (PARTITION BY {{identity}} ORDER BY known_at, delivery_id, source_row) AS copy
    FROM {{raw}}
    WHERE {{in_scope}}
),
earlier AS (
    SELECT DISTINCT {{identity}}
    FROM ({{earlier_rows}})
),
line_totals AS (
    SELECT
        order_id AS lines_order_id,
        CAST(coalesce(sum(line_amount) FILTER (WHERE is_merchandise), 0) AS DECIMAL(18,4)) AS lines_total
    FROM ({{clean_lines}})
    GROUP BY order_id
),
known AS (
    SELECT
        delivered.*,
        earlier.{{key}} IS NOT NULL AS known_before,
        line_totals.lines_total
    FROM delivered
    LEFT JOIN earlier ON {{same_identity}}
    LEFT JOIN line_totals ON {{lines_of_order}}
)
SELECT *, {{code}} AS code
FROM known
