/* A generated night of published predictions, the same rows for the same number of customers, in no order.
   Grain: one customer. Inputs: $customers BIGINT; $night DATE; $explained BIGINT, how many have reasons, by value at risk.
   Output: the columns of predictions.classification; churn_probability with six decimals, skewed to both ends;
           expected_value_at_risk, currency, with a long tail; reasons in words, null but for the explained. */
WITH drawn AS (
    SELECT
        customer,
        CAST(hash(customer, 'risk') % 1000000 AS BIGINT) / 1e6 AS risk,
        CAST(hash(customer, 'worth') % 1000000 AS BIGINT) / 1e6 AS worth
    FROM range(CAST($customers AS BIGINT)) AS customers(customer)
),
scored AS (
    SELECT
        customer,
        round(0.02 + 0.96 * risk * risk * (3 - 2 * risk), 6) AS probability,
        CAST(probability * 30 / (1.0005 - worth) AS DECIMAL(18, 2)) AS value_at_risk
    FROM drawn
),
ranked AS (
    SELECT *, row_number() OVER (ORDER BY value_at_risk DESC, probability DESC, customer) <= $explained AS explained
    FROM scored
)
SELECT
    $night AS night,
    'C-' || lpad(CAST(customer AS VARCHAR), 8, '0') AS customer_id,
    CAST($night AS TIMESTAMP) + INTERVAL 1 DAY AS as_of,
    probability AS churn_probability,
    CASE WHEN probability >= 0.75 THEN 'high' WHEN probability >= 0.5 THEN 'medium' ELSE 'low' END AS risk_tier,
    value_at_risk AS expected_value_at_risk,
    CASE WHEN explained THEN format('has not ordered for {} days', 30 + customer % 300) END AS reason_1,
    CASE WHEN explained THEN format('orders are worth {} less than usual', customer % 97) END AS reason_2,
    CASE WHEN explained THEN format('{} of the last 10 orders came back', customer % 11) END AS reason_3,
    '7' AS model_version,
    '4f1c9a7d20be' AS feature_set_version
FROM ranked
ORDER BY customer_id
