/* Grain: one version of an order in the scope, the order as one night told it, that is not the order's first.
   Inputs: the lines of orders_again as line and order rules judged them; earlier_lines.
   Output: order_id, night, and code, NULL for one that differs from the version before; decided by
     same_as_known  whether it is the version before, line by line and value by value
   A version is compared with what was kept: a refused one in between counts for nothing. */
WITH told AS (
    SELECT order_id, night, list({{row}} ORDER BY {{content}}) AS content
    FROM (
        SELECT {{told}}
        FROM (
{{judged}}
        )
        WHERE order_code IN ({{kept_codes}})
        UNION ALL
        SELECT {{told}}
        FROM earlier_lines
    )
    GROUP BY order_id, night
),
compared AS (
    SELECT
        order_id,
        night,
        lag(night) OVER (PARTITION BY order_id ORDER BY night) IS NOT NULL AS is_known,
        content IS NOT DISTINCT FROM lag(content) OVER (PARTITION BY order_id ORDER BY night) AS same_as_known
    FROM told
)
SELECT order_id, night, {{code}} AS code
FROM compared
WHERE is_known AND {{in_scope}}
