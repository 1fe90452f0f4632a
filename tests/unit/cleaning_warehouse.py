"""A warehouse with the raw and clean tables of the contracts, and the cleaning statements run in it."""

import duckdb

from athena_assets.orders.cleaning import clean_statements
from athena_assets.orders.statements import Scope, make_facts
from athena_assets.sources.source import Source
from checks.contract_files import contract_names, load_contract


def create_tables(connection: duckdb.DuckDBPyConnection) -> None:
    """Make every raw and clean table, empty, with its twin for the history."""
    for schema in ("raw", "orders"):
        connection.execute(f"CREATE SCHEMA {schema}")
    for contract in map(load_contract, contract_names()):
        if contract.schema in ("raw", "orders"):
            connection.execute(contract.ddl())
            if contract.history:
                connection.execute(contract.twin().ddl())


def clean_into(connection: duckdb.DuckDBPyConnection, source: Source, scope: Scope) -> None:
    """Clean what the raw tables hold of the scope."""
    made: set[str] = set()
    for statement in clean_statements(source, scope):
        make_facts(connection, statement, made)
        connection.execute(f"INSERT INTO {statement.target} BY NAME {statement.select}", statement.parameters)
