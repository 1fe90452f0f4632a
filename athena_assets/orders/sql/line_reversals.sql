/* Grain: one raw line of the scope that is a sale with an equal return by the same customer on the same night, or that
   return. Inputs: {{raw}}.
   Output: delivery_id, source_row; minutes_to_reversal, between the two, the least where there are several. */
WITH pairs AS (
    SELECT
        sale.delivery_id AS sale_delivery,
        sale.source_row AS sale_row,
        back.delivery_id AS back_delivery,
        back.source_row AS back_row,
        (epoch_us(back.order_ts) - epoch_us(sale.order_ts)) // 60000000 AS minutes
    FROM (SELECT * FROM {{raw}} WHERE {{in_scope}} AND quantity > 0) AS sale
    JOIN (SELECT * FROM {{raw}} WHERE {{in_scope}} AND quantity < 0) AS back
        ON back.customer_id = sale.customer_id
        AND back.product_id = sale.product_id
        AND back.unit_price = sale.unit_price
        AND back.night = sale.night
        AND back.quantity = -sale.quantity
        AND back.order_ts >= sale.order_ts
)
SELECT delivery_id, source_row, min(minutes) AS minutes_to_reversal
FROM (
    SELECT sale_delivery AS delivery_id, sale_row AS source_row, minutes FROM pairs
    UNION ALL
    SELECT back_delivery, back_row, minutes FROM pairs
)
GROUP BY delivery_id, source_row
