-- Usage needed to bill one month, from the meter's SQLite store.
-- grain:   as in usage_store.sql
-- inputs:  $start, $end: first moment of the month and of the next, in the store's notation
-- columns: those of the store; all rows of every run that touches the month, and the last storage snapshot
--          before it
SELECT *
FROM usage
WHERE run_id IN (SELECT run_id FROM usage WHERE started_at >= $start AND started_at < $end)
   OR (
        meter = 'stored_bytes'
        AND started_at = (
            SELECT max(started_at) FROM usage WHERE meter = 'stored_bytes' AND started_at < $start
        )
   )
ORDER BY run_id, step, attempt, meter, started_at
