"""Nights without the orchestrator: the same statements and the same rules, straight in DuckDB.

An orchestrated night takes seconds, most of them the orchestrator's; to look at hundreds of nights of a clean retailer,
what it would compute is computed here in one connection.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from athena_assets.contracts import clean_contracts, raw_contracts
from athena_assets.features.feature_contract import TABLE as FEATURES
from athena_assets.features.feature_contract import feature_contract
from athena_assets.lifecycle.artifact import Artifact, read_profile
from athena_assets.lifecycle.drift_rules import drift_check
from athena_assets.lifecycle.model_spec import ModelSpec, find_model
from athena_assets.lifecycle.training_run import drifting_features, run_training
from athena_assets.lifecycle.training_set import model_features, snapshot_days, training_rows
from athena_assets.nights import Night
from athena_assets.orders.assets import ensure_clean_tables
from athena_assets.orders.cleaning import clean_statements
from athena_assets.orders.statements import Scope, make_facts
from athena_assets.predictions.checks import drift_of_night
from athena_assets.predictions.prediction_contract import candidate_contract
from athena_assets.predictions.scores import features_of_night, score_night
from athena_assets.sources.deliveries import Delivery
from athena_cli.workplace import Workplace
from checks import verdicts
from checks.contract import Contract
from checks.evaluation import TableResult, check_table
from checks.rules import RuleResult
from resources.tables import ensure_table
from resources.warehouse import replace_rows

RUN = "straight"
_STAGED = "staged"


@dataclass(frozen=True)
class StraightNights:
    """The nights of one home whose history has been landed and cleaned.

    connection: writes to the home's warehouse. versions: where trained models are kept.
    """

    workplace: Workplace
    connection: duckdb.DuckDBPyConnection
    versions: Path
    champions: dict[str, Artifact] = field(default_factory=dict)
    _staged: set[str] = field(default_factory=set)

    def run(self, night: Night) -> Iterator[TableResult]:
        """Land, clean and compute one night; yields what the rules of each table say."""
        retailer = self.workplace.retailer
        is_open = retailer.is_open(night.day)
        for table, contract in raw_contracts(retailer).items():
            self._land(night, table, contract)
            yield self._checked(contract, night, is_open=is_open)
        clean = clean_contracts(retailer)
        self._clean(night, clean)
        for contract in clean.values():
            yield self._checked(contract, night, is_open=is_open)
        features = feature_contract(self.workplace.athena.feature_set)
        self._features(night, features)
        yield self._checked(features, night, is_open=is_open, minimum_rows=1)
        for name, champion in self.champions.items():
            yield self._scored(find_model(name), champion, night)

    def train(self, as_of: datetime) -> None:
        """Make a champion of every model from what is known at a midnight; no gate judges it."""
        cutoff = Night.of_as_of(as_of).cutoff
        for spec in self.workplace.athena.models:
            features = model_features(spec, self.workplace.athena.feature_set)
            days = snapshot_days(self.connection, spec, as_of)
            chosen = training_rows(self.connection, spec, features, days, label_cutoff=cutoff)
            parts = [self.connection.sql(one.sql, params=one.parameters).to_arrow_table() for one in chosen.selects]
            run = run_training(spec, features, pa.concat_tables(parts), self.versions / spec.name)
            self.champions[spec.name] = run.artifact

    def _scored(self, spec: ModelSpec, champion: Artifact, night: Night) -> TableResult:
        """Score the night and judge the candidate and the drift of its features."""
        feature_set = self.workplace.athena.feature_set
        contract = candidate_contract(spec)
        rows = features_of_night(self.connection, champion, feature_set, FEATURES, spec.value.spend_feature, night)
        scored = score_night(spec, champion, rows, feature_set)
        ensure_table(self.connection, contract)
        self.connection.register("incoming", scored.table)
        replace_rows(
            self.connection,
            contract.address,
            "SELECT CAST($night AS DATE) AS night, *, $version AS model_version,"
            " $features AS feature_set_version FROM incoming ORDER BY customer_id",
            {"night": night.day, "version": champion.version, "features": feature_set.version},
            where="night = CAST($night AS DATE)",
        )
        result = self._checked(contract, night, is_open=True, minimum_rows=1)
        check = drift_check(spec, drifting_features(model_features(spec, feature_set)))
        moved = drift_of_night(self.connection, contract, check, read_profile(champion.folder), night)
        self._keep(contract, night, moved)
        return replace(result, results=(*result.results, *moved))

    def _land(self, night: Night, table: str, contract: Contract) -> None:
        ensure_table(self.connection, contract)
        self.connection.execute(f"DELETE FROM {contract.address} WHERE night = $night", {"night": night.day})
        landing, source = self.workplace.landing, self.workplace.source
        for delivery in landing.covering(source.name, night):
            self._stage(delivery, table)
            self.connection.execute(
                f"INSERT INTO {contract.address} BY NAME SELECT * FROM {_STAGED}_{table}"
                " WHERE night = $night AND delivery_id = $delivery",
                {"night": night.day, "delivery": delivery.delivery_id},
            )

    def _stage(self, delivery: Delivery, table: str) -> None:
        """Read a delivery once, however many nights it covers."""
        if (key := f"{delivery.delivery_id}.{table}") in self._staged:
            return
        self._staged.add(key)
        self.connection.execute(f"DROP TABLE IF EXISTS {_STAGED}_{table}")
        selects = self.workplace.landing.raw_selects(self.connection, self.workplace.source, delivery, table)
        for number, select in enumerate(selects):
            into = f"INSERT INTO {_STAGED}_{table} BY NAME" if number else f"CREATE TEMP TABLE {_STAGED}_{table} AS"
            self.connection.execute(f"{into} SELECT * FROM ({select.sql})", select.parameters).fetchall()

    def _clean(self, night: Night, contracts: dict[str, Contract]) -> None:
        ensure_clean_tables(self.connection, self.workplace.retailer)
        scope = Scope.of_night(night)
        made: set[str] = set()
        for statement in clean_statements(self.workplace.source, scope):
            make_facts(self.connection, statement, made)
            replace_rows(
                self.connection,
                statement.target,
                statement.select,
                {**statement.parameters, "night": night.day},
                where=scope.condition,
            )

    def _features(self, night: Night, contract: Contract) -> None:
        feature_set = self.workplace.athena.feature_set
        ensure_table(self.connection, contract)
        replace_rows(
            self.connection,
            contract.address,
            f"SELECT CAST($night AS DATE) AS night, * FROM (\n{feature_set.night_sql()})",
            {**feature_set.parameters(night.as_of, night.cutoff), "night": night.day},
            where="night = CAST($night AS DATE)",
        )

    def _checked(self, contract: Contract, night: Night, *, is_open: bool, minimum_rows: int = 0) -> TableResult:
        """Evaluate a table's contract, and keep the figures: they are the history of the next nights."""
        verdicts.stamp(self.connection, contract, night.key, RUN)
        result = check_table(self.connection, contract, partition=night.key, is_open=is_open, minimum_rows=minimum_rows)
        self._keep(contract, night, result.results)
        return result

    def _keep(self, contract: Contract, night: Night, results: Sequence[RuleResult]) -> None:
        verdicts.save(
            self.connection,
            asset=contract.address,
            partition=night.key,
            contract_version=contract.version,
            verdicts=(),
            evaluations=[verdicts.Evaluation.of(each) for each in results],
            run_id=RUN,
            at=datetime.now(UTC).replace(tzinfo=None),
        )
