-- The meter's own store, SQLite, one file per home.
-- grain:   one quantity of one meter, for one attempt of one step of one run (failed attempts included)
-- inputs:  resources/meter.py
-- columns: quantity   integer, in `unit`: Microseconds (cpu, wall), Bytes (peak_memory, bytes_read,
--                     bytes_written, stored_bytes), Rows (rows_in, rows_out)
--          asset_key  'schema/table'; several assets of one step joined by ','; NULL when it makes no asset
--          partition  '2011-08-31', or 'first...last' for a range; NULL when unpartitioned
--          model      NULL when the step is shared by several models
--          stage      pipeline, training, inference, experimentation, monitoring, serving
--          basis      measured
--          outcome    succeeded, failed
--          started_at, ended_at  UTC, ISO 8601 with microseconds and 'Z'
CREATE TABLE IF NOT EXISTS usage (
    run_id     TEXT    NOT NULL,
    step       TEXT    NOT NULL,
    attempt    INTEGER NOT NULL,
    asset_key  TEXT,
    partition  TEXT,
    model      TEXT,
    stage      TEXT    NOT NULL,
    meter      TEXT    NOT NULL,
    quantity   INTEGER NOT NULL CHECK (quantity >= 0),
    unit       TEXT    NOT NULL,
    started_at TEXT    NOT NULL,
    ended_at   TEXT    NOT NULL CHECK (ended_at >= started_at),
    basis      TEXT    NOT NULL,
    outcome    TEXT    NOT NULL,
    PRIMARY KEY (run_id, step, attempt, meter, started_at)
) WITHOUT ROWID;
