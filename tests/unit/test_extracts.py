"""The replayed retailer delivers full extracts, and from one night on its orders call a column otherwise."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from athena_assets.incidents.extracts import Retailer, deliver
from athena_assets.sources.simulator.parameters import SimulatorParameters

PARAMETERS = SimulatorParameters(customers=300, nights=3, history_days=120, products=50)
OLD, NEW = "total_order_amount", "order_total_amount"


@pytest.fixture(scope="module")
def retailer(tmp_path_factory: pytest.TempPathFactory) -> Retailer:
    folder = tmp_path_factory.mktemp("retailer")
    renaming = replace(PARAMETERS, rename_from=PARAMETERS.day(121))
    return deliver(renaming, folder / "deliveries", scratch=folder / "scratch")


def rows(path: Path, what: str = "*") -> list[tuple[object, ...]]:
    return duckdb.sql(f"SELECT {what} FROM read_parquet('{path}')").fetchall()


def columns(path: Path) -> list[str]:
    return duckdb.sql(f"SELECT * FROM read_parquet('{path}')").columns


def test_extract_of_the_order_system_when_a_night_passes_then_it_repeats_everything_and_adds_the_night(
    retailer: Retailer,
) -> None:
    for table in ("orders", "order_lines", "customers", "products"):
        so_far = rows(retailer.history / f"{table}.parquet")
        for delivery in retailer.nights:
            extract = rows(delivery.folder / f"{table}.parquet")
            assert extract[: len(so_far)] == so_far
            so_far = extract
    known = rows(retailer.nights[-1].folder / "orders.parquet", "max(CAST(known_at AS DATE)) - 1")
    assert known == [(PARAMETERS.day(122),)]


def test_delivery_of_the_contact_centre_when_a_night_passes_then_it_holds_that_night_alone(retailer: Retailer) -> None:
    for delivery in retailer.nights:
        days = rows(delivery.folder / "service_contacts.parquet", "DISTINCT CAST(contact_ts AS DATE)")
        assert days in ([], [(delivery.night.day,)])


def test_columns_when_the_order_system_renames_one_then_orders_have_it_from_that_night_on(retailer: Retailer) -> None:
    names = [columns(each.folder / "orders.parquet") for each in retailer.nights]
    assert [(OLD in each, NEW in each) for each in names] == [(True, False), (False, True), (False, True)]
    assert [each.replace(NEW, OLD) for each in names[1]] == names[0]
    before, after = (rows(each.folder / "orders.parquet") for each in retailer.nights[:2])
    assert after[: len(before)] == before
