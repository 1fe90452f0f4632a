/* Grain: one line that an earlier night has kept, of an order that the scope brings again.
   Inputs: known_orders; the clean lines of earlier nights (none for the history).
   Output: {{told}}.
   Lines stand by night, so that no row group of a night without such an order is read. */
SELECT {{told}}
FROM ({{earlier_rows}})
WHERE order_id IN (SELECT order_id FROM known_orders) AND night IN (SELECT unnest(nights) FROM known_orders)
