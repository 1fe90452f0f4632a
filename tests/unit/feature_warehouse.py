"""A generated retailer in a warehouse: the rows that the SQL reads and the values that the oracle wants."""

from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from athena_assets.features.evaluate import evaluate
from athena_assets.features.feature_set import GIVEN_CUSTOMERS, FeatureSet, load_feature_set
from checks.contract_files import load_contract
from tests.unit.feature_oracle import Customer, Value, as_seen, expected
from tests.unit.feature_rows import (
    COUNTRY,
    TABLES,
    CampaignContact,
    CustomerVersion,
    Order,
    Retailer,
    ServiceContact,
)

NOBODY = "C-nobody"
"""A customer of whom nothing was ever delivered."""

ROWS = dict(zip(TABLES, (Order, ServiceContact, CampaignContact, CustomerVersion), strict=True))
ARROW = {
    **dict.fromkeys(("order_ts", "contact_ts", "known_at"), pa.timestamp("us")),
    **dict.fromkeys(("is_return", "is_resolved", "response"), pa.bool_()),
    "total_order_amount": pa.decimal128(18, 4),
    "item_count": pa.int64(),
    "registered_on": pa.date32(),
}
"""Types of the columns that are no text."""


@dataclass(frozen=True)
class Situation:
    """A retailer, and the two times at which its features are asked for."""

    retailer: Retailer
    as_of: datetime
    cutoff: datetime

    @property
    def customers(self) -> list[str]:
        """Every customer that any row names, and one that none does."""
        rows = [row for table in TABLES for row in getattr(self.retailer, table)]
        return sorted({NOBODY, *(row.customer_id for row in rows if row.customer_id is not None)})

    def seen(self) -> dict[str, Customer]:
        """What could have been seen of each."""
        return as_seen(self.retailer, self.customers, self.as_of, self.cutoff)

    def expected(self) -> dict[str, dict[str, Value]]:
        """The oracle's values of each."""
        return {name: expected(customer) for name, customer in self.seen().items()}

    def evaluate(self, connection: duckdb.DuckDBPyConnection, features: FeatureSet) -> dict[str, dict[str, Any]]:
        """The values of each by the features' SQL, in a warehouse filled with the retailer."""
        table = evaluate(
            connection,
            features,
            GIVEN_CUSTOMERS,
            as_of=self.as_of,
            cutoff=self.cutoff,
            population_parameters={"customers": self.customers},
        )
        return {row["customer_id"]: row for row in table.to_pylist()}


def feature_set(*, corrects: bool = False) -> FeatureSet:
    """Every feature of the registry."""
    corrected = [table for table in TABLES if table != "customers"] if corrects else []
    return load_feature_set(TABLES, business_country=COUNTRY, corrected=corrected)


def connect() -> duckdb.DuckDBPyConnection:
    """A warehouse with the clean tables as their contracts declare them, and no rows."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("CREATE SCHEMA orders")
    for table in TABLES:
        connection.execute(load_contract(f"orders.{table}").ddl())
        connection.execute(f"CREATE VIEW orders.all_{table} AS FROM orders.{table}")
    return connection


def fill(connection: duckdb.DuckDBPyConnection, retailer: Retailer, known_until: datetime | None = None) -> None:
    """Replace all rows by the retailer's, or by those of them that were known at an instant."""
    for table, kind in ROWS.items():
        rows = [asdict(row) for row in getattr(retailer, table) if known_until is None or row.known_at <= known_until]
        names = [column.name for column in fields(kind)]
        delivered = pa.table(
            {name: pa.array([row[name] for row in rows], ARROW.get(name, pa.string())) for name in names}
        )
        connection.execute(f"DELETE FROM orders.{table}")
        connection.register("delivered", delivered)
        flag = ", known_at > min(known_at) OVER (PARTITION BY order_id) AS is_correction" if table == "orders" else ""
        connection.execute(f"INSERT INTO orders.{table} BY NAME SELECT *{flag} FROM delivered")
        connection.unregister("delivered")
