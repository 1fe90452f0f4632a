"""An override begins and ends at partitions that there are: keys are compared as text."""

from datetime import date

import dagster as dg
import pytest

from athena_assets.automation import monthly_partitions, nightly_partitions
from checks.needs import GatePlan

PARTITIONS = {
    "nightly": nightly_partitions(date(2026, 1, 1), date(2026, 1, 9), "Europe/London"),
    "monthly": monthly_partitions(date(2026, 1, 1), date(2026, 3, 9), "Europe/London"),
    "whole": None,
}


@pytest.fixture(scope="module")
def plan() -> GatePlan:
    specs = [dg.AssetSpec(["shop", name], partitions_def=partitions) for name, partitions in PARTITIONS.items()]
    return GatePlan(dg.Definitions(assets=specs).resolve_asset_graph())


@pytest.mark.parametrize(
    ("table", "key"),
    [("nightly", "2026-01-01"), ("nightly", "2026-01-09"), ("monthly", "2026-01-01"), ("whole", "")],
)
def test_has_partition_when_there_is_one_of_that_name_then_it_says_so(plan: GatePlan, table: str, key: str) -> None:
    assert plan.has_partition(f"shop.{table}", key)


@pytest.mark.parametrize(
    ("table", "key"),
    [
        ("nightly", ""),
        ("nightly", "9"),
        ("nightly", "9999-12-31"),
        ("nightly", "2026-01-10"),
        ("nightly", "2025-12-31"),
        ("monthly", "2026-01-05"),
        ("whole", "9"),
        ("whole", "2026-01-05"),
    ],
)
def test_has_partition_when_there_is_none_of_that_name_then_it_says_so(plan: GatePlan, table: str, key: str) -> None:
    assert not plan.has_partition(f"shop.{table}", key)
