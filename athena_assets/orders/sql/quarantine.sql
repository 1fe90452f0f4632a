/* Grain: one raw row of one table that no rule kept. Inputs: that table's judged rows.
   Output: orders.quarantine; amount in the source's currency, 0 where the row has none; payload the raw row
   as JSON. One SELECT of this form per delivered table, united. */
SELECT
    night,
    delivery_id,
    CAST('{{table}}' AS VARCHAR) AS table_name,
    source_row,
    code AS reason_code,
    {{reason}} AS reason,
    CAST(amount AS DECIMAL(18,4)) AS amount,
    CAST(to_json({{payload}}) AS VARCHAR) AS payload
FROM (
{{judged}}
)
WHERE code NOT IN ({{kept_codes}})
