"""What an aggregate call of a feature is, and what counts the values behind it."""

import pytest

from athena_assets.features.aggregates import AggregateCall
from athena_assets.features.base_table import load_bases
from checks.contract_files import load_contract


@pytest.mark.parametrize("parameter", ["$business_country", "$anything"])
def test_aggregate_when_it_depends_on_more_than_its_text_then_it_is_not_carried(parameter: str) -> None:
    assert not AggregateCall(f"arg_max(country = {parameter}, known_at)").can_be_carried
    assert AggregateCall("arg_max(country = 'France', known_at)").can_be_carried


@pytest.mark.parametrize("call", ["sum(item_count)", "SUM(item_count)", "sum (item_count)"])
def test_sum_when_written_in_any_way_then_the_values_behind_it_are_counted(call: str) -> None:
    assert AggregateCall(call).counting() == "count(item_count)"
    assert AggregateCall(f"{call} FILTER (WHERE is_return)").counting() == "count(item_count) FILTER (WHERE is_return)"


@pytest.mark.parametrize(
    ("value", "counted"),
    [
        ("a", "*"),
        ("CAST(a AS DECIMAL(38, 4)) * b - 1.5", "*"),
        ("c", "c"),
        ("a * c", "a * c"),
        ("a / b", "a / b"),
        ("a % b", "a % b"),
        ("nullif(a, b)", "nullif(a, b)"),
        ("CASE WHEN a > b THEN a END", "CASE WHEN a > b THEN a END"),
    ],
)
def test_sum_when_its_columns_are_never_null_then_all_rows_are_counted_unless_the_value_may_be_null(
    value: str, counted: str
) -> None:
    assert AggregateCall(f"sum({value})").counting({"a", "b"}) == f"count({counted})"


def test_base_tables_when_a_column_is_never_null_then_the_contract_of_the_source_requires_it() -> None:
    declared = {(base.source.replace(".all_", "."), name) for base in load_bases().values() for name in base.never_null}
    assert declared
    for address, name in declared:
        (column,) = [each for each in load_contract(address).columns if each.name == name]
        assert column.required, (address, name)
