/* Grain: one kept order header with lines, or one version of it.
   Inputs: the judged headers (judged_rows.sql), with what their lines add up to (lines_by_order.sql).
   Output: orders.orders; total_order_amount signed, in the source's currency, equal to the sum of the
   merchandise lines; item_count merchandise units without sign, line_count all kept lines. */
SELECT
    night,
    order_id,
    customer_id,
    order_ts,
    known_at,
    total_order_amount,
    item_count,
    line_count,
    is_return,
    channel,
    country,
    is_correction
FROM (
{{judged}}
)
WHERE code IN ({{kept_codes}}) AND line_count IS NOT NULL
ORDER BY night, order_id
