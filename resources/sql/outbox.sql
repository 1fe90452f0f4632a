-- The outbox: what is wrong, and who was told. SQLite, one file per home, because the warehouse may be locked, lost or full exactly then.
-- grain:   one incident of one finding: from the first time that it was seen until it was cleared
-- inputs:  resources/findings.py
-- columns: kind        check (a rule failed) or error (a step or a command ended with a named error)
--          severity    ERROR (blocks) or WARN (informs)
--          asset       schema.table; the name of the command where there is no asset
--          partition   Dagster's key; '' where there is none
--          check_name  group of the rule; 'error' for a step; the name of the command for a command
--          rule        id of the rule; class of the error
--          alert_id    the alert that it belongs to; NULL until it is grouped
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
    alert_id   INTEGER REFERENCES alert
);
CREATE UNIQUE INDEX IF NOT EXISTS open_finding ON finding (asset, partition, check_name, rule) WHERE cleared_at IS NULL;

-- grain:   one alert, from the first of its findings until the last is cleared
-- inputs:  resources/alert_book.py
-- columns: key         what groups its findings ("night 2026-10-29"): athena_assets/monitoring/grouping.py
--          severity    the gravest that it had
CREATE TABLE IF NOT EXISTS alert (
    id              INTEGER PRIMARY KEY,
    key             TEXT NOT NULL,
    severity        TEXT NOT NULL CHECK (severity IN ('ERROR', 'WARN')),
    opened_at       TEXT NOT NULL,
    resolved_at     TEXT,
    acknowledged_by TEXT,
    acknowledged_at TEXT
);
CREATE UNIQUE INDEX IF NOT EXISTS open_alert ON alert (key) WHERE resolved_at IS NULL;

-- grain:   one alert on one channel: what was said there last, and what is being said
-- columns: channel        log, file, or the scheme and position of a transport's URL ("slack 1"); never the URL
--          severity       as it was said; NULL until it was
--          assets         JSON list of every asset that was spoken of
--          resolved_told  1 once the channel knows that it is over
--          claimed_until  a process is sending; from then on another one may, because that one has died
--          failures       attempts in a row that did not arrive
CREATE TABLE IF NOT EXISTS telling (
    alert_id      INTEGER NOT NULL REFERENCES alert,
    channel       TEXT    NOT NULL,
    severity      TEXT,
    assets        TEXT    NOT NULL DEFAULT '[]',
    told_at       TEXT,
    resolved_told INTEGER NOT NULL DEFAULT 0,
    claimed_until TEXT,
    failures      INTEGER NOT NULL DEFAULT 0,
    failure       TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (alert_id, channel)
);

-- grain:   one command that is under way
-- inputs:  resources/watch.py
-- columns: line        the command line as it was typed
--          process     host, process id and when the process began: a row without a process behind it was killed
DROP TABLE IF EXISTS under_way;
CREATE TABLE under_way (
    process    TEXT NOT NULL PRIMARY KEY,
    command    TEXT NOT NULL,
    partition  TEXT NOT NULL,
    line       TEXT NOT NULL,
    started_at TEXT NOT NULL
);
