/* Grain: one deciding rule of one raw table. Inputs: that table's judged rows.
   Output: table_name, code, kept (whether the rule keeps), rows, amount in the source's currency. */
SELECT
    CAST('{{table}}' AS VARCHAR) AS table_name,
    code,
    code IN ({{kept_codes}}) AS kept,
    count(*) AS rows,
    CAST(sum(amount) AS DECIMAL(18,4)) AS amount
FROM (
{{judged}}
)
GROUP BY code
ORDER BY code
