-- The outbox: what is wrong. SQLite, one file per home, because the warehouse may be locked, lost or full exactly then.
-- grain:   one incident of one finding: from the first time that it was seen until it was cleared
-- inputs:  resources/findings.py
-- columns: kind        check (a rule failed) or error (a step or a command ended with a named error)
--          severity    ERROR (blocks) or WARN (informs)
--          asset       schema.table; the name of the command where there is no asset
--          partition   Dagster's key; '' where there is none
--          check_name  group of the rule; 'error' for a step; the name of the command for a command
--          rule        id of the rule; class of the error
--          alert_key   what it was alerted under (athena_assets/monitoring/grouping.py); NULL until then
--          first_seen, last_seen, cleared_at  UTC, ISO 8601 with microseconds and 'Z'; cleared_at NULL while it is open
CREATE TABLE IF NOT EXISTS finding (
    id         INTEGER PRIMARY KEY,
    kind       TEXT    NOT NULL CHECK (kind IN ('check', 'error')),
    severity   TEXT    NOT NULL CHECK (severity IN ('ERROR', 'WARN')),
    asset      TEXT    NOT NULL,
    partition  TEXT    NOT NULL,
    check_name TEXT    NOT NULL,
    rule       TEXT    NOT NULL,
    summary    TEXT    NOT NULL,
    figure     TEXT    NOT NULL,
    allowed    TEXT    NOT NULL,
    owner      TEXT    NOT NULL,
    run_id     TEXT    NOT NULL,
    details    TEXT    NOT NULL,
    first_seen TEXT    NOT NULL,
    last_seen  TEXT    NOT NULL,
    times_seen INTEGER NOT NULL CHECK (times_seen > 0),
    cleared_at TEXT,
    alert_key  TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS open_finding ON finding (asset, partition, check_name, rule) WHERE cleared_at IS NULL;
