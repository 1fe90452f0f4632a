/* Grain: one kept order line. Inputs: the judged lines (judged_rows.sql).
   Output: orders.order_lines; quantity in units and line_amount in the source's currency, both signed,
   negative on returns; is_merchandise false for charges such as postage. */
SELECT
    night,
    delivery_id,
    source_row,
    known_at,
    order_id,
    customer_id,
    order_ts,
    product_id,
    quantity,
    unit_price,
    CAST(quantity * unit_price AS DECIMAL(18,4)) AS line_amount,
    is_return,
    code NOT IN ({{charge_codes}}) AS is_merchandise,
    channel,
    country,
    {{is_correction}} AS is_correction
FROM (
{{judged}}
)
WHERE code IN ({{kept_codes}})
ORDER BY night, delivery_id, source_row
