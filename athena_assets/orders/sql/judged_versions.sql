/* Grain: one raw order line of the scope, for a source that corrects orders.
   Inputs: the lines as line and order rules judged them; order_versions.
   Output: their columns, and
     is_correction  whether the line belongs to a version of its order that is not the first
     code           the deciding rule: a line or order rule, or a version rule for a line that they keep */
SELECT
    told.*,
    order_versions.order_id IS NOT NULL AS is_correction,
    CASE WHEN order_code IN ({{kept_codes}}) THEN coalesce(order_versions.code, order_code) ELSE order_code END AS code
FROM (
{{judged}}
) AS told
LEFT JOIN order_versions ON order_versions.order_id = told.order_id AND order_versions.night = told.night
