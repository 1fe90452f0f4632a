/* Grain: one night of one delivered table of one delivery. Inputs: the raw rows, the kept rows and the quarantine of
   the scope, each counted where it stands: nothing is computed as a remainder.
   Output: orders.accounting; rows, and money in the source's currency. rows_in = rows_kept + rows_quarantined and
   amount_in = amount_kept + amount_quarantined is what the checks then prove; rows_repeated are those of the
   quarantined rows that say again what has been kept. */
WITH counted AS (
{{delivered}}
    UNION ALL
{{kept}}
    UNION ALL
    SELECT
        night, delivery_id, table_name, 0, 0,
        count(*), count(*) FILTER (WHERE reason_code IN ({{repeating_codes}})),
        0, 0, sum(amount)
    FROM {{quarantine}}
    WHERE {{in_scope}}
    GROUP BY night, delivery_id, table_name
)
SELECT
    night,
    delivery_id,
    table_name,
    CAST(sum(rows_in) AS BIGINT) AS rows_in,
    CAST(sum(rows_kept) AS BIGINT) AS rows_kept,
    CAST(sum(rows_quarantined) AS BIGINT) AS rows_quarantined,
    CAST(sum(rows_repeated) AS BIGINT) AS rows_repeated,
    CAST(sum(amount_in) AS DECIMAL(18,4)) AS amount_in,
    CAST(sum(amount_kept) AS DECIMAL(18,4)) AS amount_kept,
    CAST(sum(amount_quarantined) AS DECIMAL(18,4)) AS amount_quarantined
FROM counted
GROUP BY night, delivery_id, table_name
ORDER BY night, delivery_id, table_name
