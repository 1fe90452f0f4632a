"""Nights without the orchestrator: the same statements and the same rules, straight in DuckDB.

An orchestrated night takes seconds, most of them the orchestrator's; to look at hundreds of nights of a clean retailer,
what it would compute is computed here in one connection.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import duckdb

from athena_assets.contracts import clean_contracts, raw_contracts
from athena_assets.features.feature_contract import feature_contract
from athena_assets.features.feature_set import ACTIVE_CUSTOMERS
from athena_assets.nights import Night
from athena_assets.orders.assets import ensure_clean_tables
from athena_assets.orders.cleaning import Scope, clean_statements
from athena_assets.sources.deliveries import Delivery
from athena_cli.workplace import Workplace
from checks import verdicts
from checks.contract import Contract
from checks.evaluation import TableResult, check_table
from resources.tables import ensure_table
from resources.warehouse import replace_rows

RUN = "straight"
_STAGED = "staged"


@dataclass(frozen=True)
class StraightNights:
    """The nights of one home whose history has been landed and cleaned.

    connection: writes to the home's warehouse.
    """

    workplace: Workplace
    connection: duckdb.DuckDBPyConnection
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
        for statement in clean_statements(self.workplace.source, scope):
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
            f"SELECT CAST($night AS DATE) AS night, * FROM (\n{feature_set.sql(ACTIVE_CUSTOMERS)})",
            {**feature_set.parameters(night.as_of, night.cutoff), "night": night.day},
            where="night = CAST($night AS DATE)",
        )

    def _checked(self, contract: Contract, night: Night, *, is_open: bool, minimum_rows: int = 0) -> TableResult:
        """Evaluate a table's contract, and keep the figures: they are the history of the next nights."""
        verdicts.stamp(self.connection, contract, night.key, RUN)
        result = check_table(self.connection, contract, partition=night.key, is_open=is_open, minimum_rows=minimum_rows)
        verdicts.save(
            self.connection,
            asset=contract.address,
            partition=night.key,
            contract_version=contract.version,
            verdicts=(),
            evaluations=[verdicts.Evaluation.of(each) for each in result.results],
            run_id=RUN,
            at=datetime.now(UTC).replace(tzinfo=None),
        )
        return result
