"""What the order of the rows proves of keys and references, for a comparison a row instead of a hash of every key.

Tables are written in the order of their keys. Where each row is greater than the one before, none repeats a key; where
two tables hold the same values place by place, each value of one is found in the other. In whatever order the rows
come, a proof is true only of what holds; where it is not true nothing is known, and the offending rows are counted.
"""

from collections.abc import Mapping

import duckdb

from athena_assets.sql import ascending, columns_of
from checks.contract import Column, Contract


def order_proofs(
    connection: duckdb.DuckDBPyConnection, contract: Contract, where: str, *, is_partition: bool
) -> Mapping[str, str]:
    """By rule id, SQL that is true only where no row that `where` names offends; for an aggregate's SELECT list.

    References are proved for a partition, which is small beside the register that it refers to or has its very rows.
    """
    rows = f"{contract.address} WHERE {where}"
    proofs = {}
    if contract.keys:
        proofs["key.unique"] = ascending(contract.keys, rows)
    if is_partition:
        proofs |= {
            f"{column.name}.references": _found(connection, contract, column, rows, where)
            for column in contract.columns
            if column.references
        }
    return proofs


def _found(connection: duckdb.DuckDBPyConnection, contract: Contract, column: Column, rows: str, where: str) -> str:
    """True only where every value of a column that is not null is found in the column that it refers to."""
    table, _, referred = str(column.references).rpartition(".")
    own = f'(SELECT "{column.name}" AS own FROM {rows})'
    same_grain = contract.keys == (contract.partitioned_by, column.name)
    if same_grain and contract.partitioned_by in columns_of(connection, table):
        other = f'(SELECT "{referred}" AS other FROM {table} WHERE {where})'
        return f"(SELECT count(*) FILTER (WHERE own = other) >= count(own) FROM {own} POSITIONAL JOIN {other})"
    # An anti-join hashes the few rows of the partition, where NOT IN would hash the register.
    return (
        f"(SELECT count(*) = 0 FROM {own} AS here WHERE own IS NOT NULL"
        f' AND NOT EXISTS (SELECT 1 FROM {table} AS register WHERE register."{referred}" = here.own))'
    )
