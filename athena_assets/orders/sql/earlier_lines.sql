/* Grain: one line that an earlier night has kept, of an order that the scope brings again.
   Inputs: known_orders; the clean lines of earlier nights (none for the history).
   Output: {{told}}. */
SELECT {{told}}
FROM ({{earlier_rows}})
WHERE order_id IN (SELECT order_id FROM known_orders)
