/* Grain: one raw row of the scope, with the code of the rule that decides about it.
   Inputs: {{raw}}; the facts that give what its rules name, each of which has few rows: the rows stream past them.
   Output: every raw column, and
     amount     money of the row, source currency, DECIMAL(18,4); 0 where it has none
     {{given}}  the columns that are named of its facts (athena_assets/orders/facts.py)
     {{as}}     the deciding rule */
SELECT *, {{code}} AS {{as}}
FROM (
    SELECT delivered.*{{given}}
    FROM (
        SELECT *, coalesce({{amount}}, 0) AS amount
        FROM {{raw}}
        WHERE {{in_scope}}
    ) AS delivered
    {{joins}}
) AS known
