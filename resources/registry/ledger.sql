-- The promotion ledger: who moved which version of which model from which stage to which, when and why.
-- Grain: one row per change of stage of one version. Append-only and hash-chained.
--   at             UTC, ISO 8601 with microseconds and offset; never earlier than the model's previous row
--   from_stage     'unregistered' for the row that registers the version
--   run_id         the MLflow run that logged the version
--   evidence       JSON object: what the decision rested on
--   previous_hash  hash of the row before, 64 zeros for the first
--   hash           SHA-256 (hex) of all other columns as canonical JSON
CREATE TABLE IF NOT EXISTS ledger (
    sequence      INTEGER PRIMARY KEY,
    at            TEXT NOT NULL,
    model         TEXT NOT NULL,
    version       TEXT NOT NULL,
    from_stage    TEXT NOT NULL CHECK (from_stage IN (
        'unregistered', 'development', 'staging', 'production', 'archived'
    )),
    to_stage      TEXT NOT NULL CHECK (to_stage IN (
        'development', 'staging', 'production', 'archived'
    )),
    reason        TEXT NOT NULL CHECK (length(reason) > 0),
    actor         TEXT NOT NULL CHECK (length(actor) > 0),
    run_id        TEXT NOT NULL,
    evidence      TEXT NOT NULL CHECK (json_valid(evidence)),
    previous_hash TEXT NOT NULL,
    hash          TEXT NOT NULL UNIQUE
) STRICT;

CREATE TRIGGER IF NOT EXISTS ledger_refuses_update BEFORE UPDATE ON ledger
BEGIN SELECT RAISE(ABORT, 'the promotion ledger is append-only: no UPDATE'); END;

CREATE TRIGGER IF NOT EXISTS ledger_refuses_delete BEFORE DELETE ON ledger
BEGIN SELECT RAISE(ABORT, 'the promotion ledger is append-only: no DELETE'); END;

-- INSERT OR REPLACE deletes the row it replaces without firing the trigger above.
CREATE TRIGGER IF NOT EXISTS ledger_only_appends BEFORE INSERT ON ledger
WHEN NEW.sequence IS NOT (SELECT coalesce(max(sequence), 0) + 1 FROM ledger)
BEGIN SELECT RAISE(ABORT, 'the promotion ledger is append-only: a row goes to its end'); END;

-- How far MLflow's aliases and tags have followed the ledger; a projection, hence the one row that changes.
CREATE TABLE IF NOT EXISTS projection (
    only     INTEGER PRIMARY KEY CHECK (only = 1),
    sequence INTEGER NOT NULL
) STRICT;
INSERT INTO projection (only, sequence) VALUES (1, 0) ON CONFLICT DO NOTHING;
