-- Whom the retention team calls this morning. Grain: one customer. Money in the retailer's currency.
SELECT customer_id, churn_probability, expected_value_at_risk, reason_1, reason_2, reason_3
FROM '.athena/published/predictions/churn/latest.parquet'
WHERE risk_tier = 'high'
ORDER BY expected_value_at_risk DESC
LIMIT 500
