"""Compares the accounts with the manifests: what was landed over all nights is what was delivered."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import duckdb

from athena_assets.sources.deliveries import Delivery


@dataclass(frozen=True)
class Discrepancy:
    """One table of one delivery whose accounts are not its manifest."""

    delivery_id: str
    table: str
    rows_delivered: int
    rows_landed: int
    amount_delivered: Decimal
    amount_landed: Decimal

    def __str__(self) -> str:
        return (
            f"{self.table} of {self.delivery_id}: {self.rows_delivered:,} rows and {self.amount_delivered} delivered,"
            f" {self.rows_landed:,} rows and {self.amount_landed} landed"
        )


def discrepancies(connection: duckdb.DuckDBPyConnection, deliveries: Iterable[Delivery]) -> list[Discrepancy]:
    """Every table of these deliveries, all of whose nights have been landed, that does not reconcile."""
    landed = {
        (delivery, table): (int(rows), amount)
        for delivery, table, rows, amount in connection.execute(
            "SELECT delivery_id, table_name, sum(rows_in), sum(amount_in) FROM orders.all_accounting GROUP BY ALL"
        ).fetchall()
    }
    found = []
    for delivery in deliveries:
        for table in sorted({file.table for file in delivery.files}):
            files = delivery.files_of(table)
            rows = sum(file.rows_to_land for file in files)
            amount = sum((file.amount_to_land for file in files), Decimal(0))
            rows_landed, amount_landed = landed.get((delivery.delivery_id, table), (0, Decimal(0)))
            if (rows, amount) != (rows_landed, amount_landed):
                found.append(Discrepancy(delivery.delivery_id, table, rows, rows_landed, amount, amount_landed))
    return found
