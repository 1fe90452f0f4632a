/* Grain: one raw row of the scope of any table but order lines, with the code of the rule that decides.
   Inputs: the delivered rows, for order headers with what their lines add up to (orders_with_lines.sql);
   {{copies}} and {{earlier}}.
   Output: every delivered column, and
     amount        money of the row, source currency, DECIMAL(18,4); 0 where it has none
     copy          1 for the first row of an identity ({{identity}}) in the scope, then 2, 3, ...
     known_before  whether an earlier night has kept a row of that identity
     code          the deciding rule */
WITH known AS (
    SELECT
        delivered.*,
        coalesce({{amount}}, 0) AS amount,
        coalesce({{copies}}.copy, 1) AS copy,
        {{earlier}}.{{key}} IS NOT NULL AS known_before
    FROM (
{{delivered}}
    ) AS delivered
    LEFT JOIN {{copies}}
        ON {{copies}}.delivery_id = delivered.delivery_id AND {{copies}}.source_row = delivered.source_row
    LEFT JOIN {{earlier}} ON {{same_identity}}
)
SELECT *, {{code}} AS code
FROM known
