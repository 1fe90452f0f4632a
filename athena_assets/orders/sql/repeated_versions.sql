/* Grain: one version of an order whose lines are those of the version before it.
   Inputs: order_versions.
   Output: order_id, night; known_before, true, said of the key so that column lineage leads to it. */
SELECT order_id, night, order_id IS NOT NULL AS known_before
FROM order_versions
WHERE code IS NOT NULL
