/* Grain: one delivered order header of the scope. Inputs: {{raw}}, lines_by_order.
   Output: every raw column, and lines_total, item_count, line_count and is_correction of the order's clean lines, NULL when it has
   none. */
SELECT
    header.*,
    lines_by_order.lines_total,
    lines_by_order.item_count,
    lines_by_order.line_count,
    lines_by_order.is_correction
FROM (SELECT * FROM {{raw}} WHERE {{in_scope}}) AS header
LEFT JOIN lines_by_order ON {{same_lines}}
