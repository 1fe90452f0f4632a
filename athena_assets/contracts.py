"""Every contract that is in force for one retailer: its tables' own, and the templates completed for its models."""

from collections.abc import Sequence

from athena_assets.features.feature_contract import TABLE as FEATURE_TABLE
from athena_assets.features.feature_contract import feature_columns, feature_contract
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.model_tables import ModelTables, complete_table
from athena_assets.lineage import KnownColumns
from athena_assets.predictions.prediction_contract import (
    CANDIDATE_TEMPLATE,
    PUBLISHED_TEMPLATE,
    candidate_contract,
    completed_candidate,
    completed_published,
    published_contract,
)
from athena_assets.retailer import BOOKS, Retailer
from checks.contract import Contract
from checks.contract_files import contract_names, load_contract

_OF_A_RETAILER = ("raw.", "orders.")
_TEMPLATES = ("model.", CANDIDATE_TEMPLATE, PUBLISHED_TEMPLATE)


def raw_contracts(retailer: Retailer) -> dict[str, Contract]:
    """Contract of each nightly raw table by its short name."""
    return {table: load_contract(f"raw.{table}") for table in retailer.raw_tables}


def clean_contracts(retailer: Retailer) -> dict[str, Contract]:
    """Contract of each nightly clean table by its short name, the books included."""
    return {table: load_contract(f"orders.{table}") for table in (*retailer.clean_tables, *BOOKS)}


def known_columns(retailer: Retailer) -> KnownColumns:
    """`(address, column names)` of every raw and clean table, twins included."""
    contracts = [*raw_contracts(retailer).values(), *clean_contracts(retailer).values()]
    return tuple(
        (each.address, tuple(column.name for column in each.columns))
        for contract in contracts
        for each in (contract, contract.twin())
    )


def contracts_in_force(retailer: Retailer, feature_set: FeatureSet, models: Sequence[ModelSpec]) -> dict[str, Contract]:
    """Every contract by its table's address, raw tables first; a table's history twin shares its contract."""
    contracts = [*raw_contracts(retailer).values(), *clean_contracts(retailer).values(), feature_contract(feature_set)]
    for spec in models:
        contracts += [*ModelTables.of(spec, feature_set).all(), candidate_contract(spec), published_contract(spec)]
    known = {contract.address for contract in contracts}
    contracts += [
        load_contract(name)
        for name in contract_names()
        if name not in known and not name.startswith((*_OF_A_RETAILER, *_TEMPLATES))
    ]
    return {contract.address: contract for contract in contracts}


def documented_contracts(feature_set: FeatureSet) -> dict[str, Contract]:
    """Every contract file by name, the feature table's completed with the features."""
    contracts = {name: load_contract(name) for name in contract_names()}
    return contracts | {FEATURE_TABLE: feature_contract(feature_set)}


def completed(contract: Contract, feature_set: FeatureSet, models: Sequence[ModelSpec]) -> dict[str, Contract]:
    """What a contract file says of each table that it is of, by address: a template is completed for every model."""
    if contract.address == FEATURE_TABLE:
        tables = [contract.with_columns(feature_columns(feature_set))]
    elif contract.address == CANDIDATE_TEMPLATE:
        tables = [completed_candidate(contract, spec) for spec in models]
    elif contract.address == PUBLISHED_TEMPLATE:
        tables = [completed_published(contract, spec) for spec in models]
    elif contract.schema == "model":
        tables = [complete_table(contract, spec, feature_set) for spec in models]
    else:
        tables = [contract]
    return {table.address: table for table in tables}


def tables_of_contract(name: str, models: Sequence[str]) -> tuple[str, ...]:
    """Addresses of the tables that a contract file is of: a template is of a table of every model."""
    if name == CANDIDATE_TEMPLATE:
        return tuple(f"predictions.{model}_candidate" for model in models)
    if name == PUBLISHED_TEMPLATE:
        return tuple(f"predictions.{model}" for model in models)
    schema, _, table = name.partition(".")
    return tuple(f"{model}.{table}" for model in models) if schema == "model" else (name,)
