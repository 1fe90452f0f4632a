/* Orders of the Online Retail II file as an analyst would read them in a hurry: the floor of landing and cleaning.
   Grain: one invoice of an identified customer.
   Inputs: $file, a Parquet file with the columns of the 2009-2011 edition; $before TIMESTAMP.
   Output: the columns of bench/sql/generated_orders.sql that bench/sql/bare_features.sql reads. */
SELECT
    CAST("Customer ID" AS VARCHAR) AS customer_id,
    min(InvoiceDate) AS order_ts,
    CAST(CAST(min(InvoiceDate) AS DATE) AS TIMESTAMP) + INTERVAL 1 DAY AS known_at,
    Invoice LIKE 'C%' AS is_return,
    sum(Quantity * Price) AS total_order_amount,
    sum(Quantity) AS item_count,
    CAST(NULL AS VARCHAR) AS channel
FROM read_parquet($file)
WHERE "Customer ID" IS NOT NULL AND Price > 0 AND InvoiceDate < CAST($before AS TIMESTAMP)
GROUP BY "Customer ID", Invoice
