/* Grain: one raw order line of the scope, for a source that delivers order headers.
   Inputs: the lines as the line rules judged them (judged_rows.sql); order_codes.
   Output: their columns, and
     {{as}}  the deciding rule: the line rule's, or that of an order rule for a line it had kept */
SELECT
    lines.*,
    CASE WHEN line_code IN ({{line_kept_codes}}) THEN coalesce(order_codes.code, line_code) ELSE line_code END AS {{as}}
FROM (
{{lines}}
) AS lines
LEFT JOIN order_codes ON {{same_order}}
