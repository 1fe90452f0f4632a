"""A table follows its contract where that loses nothing, and is refused where a person must decide."""

from dataclasses import replace

import duckdb
import pytest

from checks.contract import Contract
from checks.contract_files import load_contract
from resources.tables import TableDiffers, ensure_table


@pytest.fixture
def contract() -> Contract:
    return load_contract("ops.night_pins")


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def columns_of(connection: duckdb.DuckDBPyConnection, address: str) -> list[tuple[str, str]]:
    return [(row[0], row[1]) for row in connection.execute(f"DESCRIBE {address}").fetchall()]


def test_table_when_missing_then_made_as_its_contract_says(connection, contract):
    ensure_table(connection, contract)
    ensure_table(connection, contract)
    assert columns_of(connection, contract.address) == [(column.name, column.type) for column in contract.columns]


def test_table_when_contract_gained_a_column_then_added_and_null_in_old_rows(connection, contract):
    older = replace(contract, columns=contract.columns[:-1])
    ensure_table(connection, older)
    connection.execute(f"INSERT INTO {contract.address} VALUES (DATE '2026-10-29', 'feature_set')")
    ensure_table(connection, contract)
    assert connection.execute(f"SELECT {contract.columns[-1].name} FROM {contract.address}").fetchall() == [(None,)]


def test_table_when_a_column_has_another_type_then_refused_by_name(connection, contract):
    retyped = replace(contract.columns[-1], type="BIGINT")
    ensure_table(connection, replace(contract, columns=(*contract.columns[:-1], retyped)))
    with pytest.raises(TableDiffers, match=rf"{contract.columns[-1].name}(.|\n)*VARCHAR(.|\n)*BIGINT"):
        ensure_table(connection, contract)


def test_table_when_contract_lost_a_column_then_refused_by_name(connection, contract):
    ensure_table(connection, contract)
    with pytest.raises(TableDiffers, match=rf"found:? *{contract.columns[-1].name}"):
        ensure_table(connection, replace(contract, columns=contract.columns[:-1]))


def test_table_when_another_schema_has_its_name_then_not_taken_for_it(connection, contract):
    connection.execute(f"CREATE SCHEMA other; CREATE TABLE other.{contract.table} (surplus INTEGER)")
    ensure_table(connection, contract)
    assert "surplus" not in dict(columns_of(connection, contract.address))
