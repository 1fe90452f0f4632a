/* The gate's own tables. Grain:
   gate.materialisation    one partition of one asset as it stands: who wrote it, in the transaction that wrote it
   gate.verdict            one blocking check of one partition as it stands; gone when the partition is written again
   gate.override           one decision of a person to let something through, for a time
   gate.override_use       one asset that was computed on the strength of an override
   monitoring.check_history  one evaluation of one rule, for good
   asset is schema.table; partition is the orchestrator's key, '' where there is none; times are UTC. */
CREATE SCHEMA IF NOT EXISTS gate;
CREATE SCHEMA IF NOT EXISTS monitoring;
CREATE TABLE IF NOT EXISTS gate.materialisation (
  asset VARCHAR, partition VARCHAR, id BIGINT NOT NULL, run_id VARCHAR NOT NULL, sources VARCHAR,
  PRIMARY KEY (asset, partition)
);
CREATE TABLE IF NOT EXISTS gate.verdict (
  asset VARCHAR, partition VARCHAR, check_name VARCHAR,
  materialisation BIGINT NOT NULL, rules_hash VARCHAR NOT NULL, contract_version VARCHAR NOT NULL,
  passed BOOLEAN NOT NULL, faults VARCHAR NOT NULL, run_id VARCHAR NOT NULL, evaluated_at TIMESTAMP NOT NULL,
  PRIMARY KEY (asset, partition, check_name)
);
CREATE TABLE IF NOT EXISTS gate.override (
  id BIGINT PRIMARY KEY, asset VARCHAR NOT NULL, first_partition VARCHAR NOT NULL, last_partition VARCHAR NOT NULL,
  check_name VARCHAR NOT NULL, person VARCHAR NOT NULL, reason VARCHAR NOT NULL,
  created_at TIMESTAMP NOT NULL, expires_at TIMESTAMP NOT NULL, revoked_at TIMESTAMP, revoked_by VARCHAR
);
CREATE TABLE IF NOT EXISTS gate.override_use (
  override BIGINT NOT NULL, asset VARCHAR NOT NULL, partition VARCHAR NOT NULL, run_id VARCHAR NOT NULL,
  used_at TIMESTAMP NOT NULL
);
CREATE TABLE IF NOT EXISTS monitoring.check_history (
  evaluation BIGINT NOT NULL, recorded_at TIMESTAMP NOT NULL, run_id VARCHAR NOT NULL,
  asset VARCHAR NOT NULL, partition VARCHAR NOT NULL, check_name VARCHAR NOT NULL, rule VARCHAR NOT NULL,
  severity VARCHAR NOT NULL, status VARCHAR NOT NULL, figure DOUBLE, limit_low DOUBLE, limit_high DOUBLE,
  found VARCHAR NOT NULL, allowed VARCHAR NOT NULL, description VARCHAR NOT NULL, rows BIGINT NOT NULL,
  materialisation BIGINT NOT NULL, contract_version VARCHAR NOT NULL, figure_hash VARCHAR
);
/* What later versions have added; NULL in rows from before. figure_hash: the SQL that a figure was computed by.
   sources: the deliveries that were seen, where the writer says so. */
ALTER TABLE monitoring.check_history ADD COLUMN IF NOT EXISTS figure_hash VARCHAR;
ALTER TABLE gate.materialisation ADD COLUMN IF NOT EXISTS sources VARCHAR;
