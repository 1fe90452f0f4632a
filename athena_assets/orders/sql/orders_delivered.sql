/* Grain: one kept order header. Inputs: the judged headers (judged_entities.sql), the clean lines of the scope.
   Output: orders.orders; total_order_amount signed, in the source's currency, equal to the sum of the
   merchandise lines; item_count merchandise units without sign, line_count all kept lines. */
SELECT
    header.night,
    header.order_id,
    header.customer_id,
    header.order_ts,
    header.known_at,
    header.total_order_amount,
    lines.item_count,
    lines.line_count,
    header.is_return,
    header.channel,
    header.country
FROM (
{{judged}}
) AS header
JOIN (
    SELECT
        order_id,
        CAST(coalesce(sum(abs(quantity)) FILTER (WHERE is_merchandise), 0) AS BIGINT) AS item_count,
        count(*) AS line_count
    FROM {{clean_lines}}
    WHERE {{in_scope}}
    GROUP BY order_id
) AS lines ON lines.order_id = header.order_id
WHERE header.code IN ({{kept_codes}})
ORDER BY header.night, header.order_id
