"""What sources are translated into and what the contracts of the raw tables say are the same columns and types."""

import pytest

from athena_assets.sources.tables import RAW_TABLES, TECHNICAL
from checks.contract_files import load_contract


@pytest.mark.parametrize("table", RAW_TABLES)
def test_raw_contract_when_compared_with_the_sources_then_columns_and_types_are_the_same(table: str) -> None:
    contract = load_contract(f"raw.{table}")
    delivered = [(column.name, column.type) for column in (*TECHNICAL, *RAW_TABLES[table].columns)]
    assert [(column.name, column.type) for column in contract.columns] == delivered
