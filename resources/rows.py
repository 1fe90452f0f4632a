"""Python rows into a warehouse table, with the exact types of its contract."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import duckdb

from checks.contract import Contract

if TYPE_CHECKING:
    import pyarrow as pa


def insert_rows(connection: duckdb.DuckDBPyConnection, contract: Contract, rows: Sequence[tuple[object, ...]]) -> int:
    """Insert rows in the order of the contract's columns; returns how many.

    Through one Arrow table, because row-by-row inserts cost a millisecond each. A value that its column cannot hold
    exactly raises `pyarrow.ArrowInvalid`; nothing is rounded.
    """
    import pyarrow as pa

    columns = list(zip(*rows, strict=True)) or [()] * len(contract.columns)
    incoming = pa.table(
        {
            column.name: pa.array(values, type=_arrow_type(column.type))
            for column, values in zip(contract.columns, columns, strict=True)
        }
    )
    connection.register("incoming", incoming)
    try:
        connection.execute(f"INSERT INTO {contract.address} BY NAME SELECT * FROM incoming")
    finally:
        connection.unregister("incoming")
    return len(rows)


def _arrow_type(name: str) -> "pa.DataType":
    import pyarrow as pa

    if name.startswith("DECIMAL"):
        precision, scale = (int(part) for part in name.removeprefix("DECIMAL(").removesuffix(")").split(","))
        return pa.decimal128(precision, scale)
    return {
        "VARCHAR": pa.string(),
        "BIGINT": pa.int64(),
        "INTEGER": pa.int32(),
        "DOUBLE": pa.float64(),
        "BOOLEAN": pa.bool_(),
        "DATE": pa.date32(),
        "TIMESTAMP": pa.timestamp("us"),
    }[name]
