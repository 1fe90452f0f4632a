"""`athena run` on a retailer's file, from raw orders to the bill; then its nights, one by one."""

from __future__ import annotations

import csv
import json
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

SOURCE = ("--source", "online_retail_ii")
CORNER_SHOP = """
name: corner
description: a corner shop whose till writes the same columns
currency: GBP
timezone: Europe/London
tables:
  order_lines:
    ignore: [Country]
    columns:
      order_id: {from: Invoice}
      customer_id: {from: Customer ID, prefix: "C-"}
      order_ts: {from: InvoiceDate}
      product_id: {from: StockCode}
      description: {from: Description}
      quantity: {from: Quantity}
      unit_price: {from: Price}
      is_return: {from: Invoice, starts_with: "C"}
"""
TIERS = {"high": (0.75, 1.0), "medium": (0.5, 0.75), "low": (0.0, 0.5)}


def delivered(shop: Shop, *nights: str) -> list[dict[str, str]]:
    """Every delivered line, read by the standard library."""
    lines = []
    for path in (shop.orders, *(shop.night_file(night) for night in nights)):
        with path.open(encoding="utf-8", newline="") as file:
            lines += list(csv.DictReader(file))
    return lines


def eligible(lines: list[dict[str, str]], night: str) -> set[str]:
    """Customers with a purchase in the 365 days before the night ended."""
    end = datetime.combine(date.fromisoformat(night) + timedelta(days=1), datetime.min.time())
    return {
        f"C-{line['Customer ID']}"
        for line in lines
        if not line["Invoice"].startswith("C")
        and end - timedelta(days=365) <= datetime.fromisoformat(line["InvoiceDate"]) < end
    }


def test_run_when_a_newcomer_types_it_then_rows_and_money_add_up_and_it_says_what_is_next(
    retail_evening: Shop,
) -> None:
    said = (retail_evening.folder / "said.txt").read_text()
    lines = delivered(retail_evening)
    money = sum((Decimal(line["Quantity"]) * Decimal(line["Price"]) for line in lines), Decimal(0))
    assert f"{len(lines):,} rows to 2011-10-28" in said
    assert f"{money:,.2f}" in said
    for words in ("churn version 1, out of time on", "recency", "frequency", "logistic", "tco.html", "next: make ui"):
        assert words in said
    (account,) = retail_evening.rows(
        "SELECT sum(rows_in), sum(rows_kept) + sum(rows_quarantined), sum(amount_in),"
        " sum(amount_kept) + sum(amount_quarantined) FROM orders.all_accounting"
    )
    assert account == (len(lines), len(lines), money, money)


def test_run_when_done_then_every_eligible_customer_has_one_published_row(retail_evening: Shop) -> None:
    latest = retail_evening.published / "latest.parquet"
    rows = duckdb.execute(
        "SELECT customer_id, as_of, churn_probability, risk_tier, expected_value_at_risk, reason_1, model_version,"
        f" feature_set_version FROM '{latest}'"
    ).fetchall()
    assert {row[0] for row in rows} == eligible(delivered(retail_evening), "2011-10-28")
    assert len(rows) == len({row[0] for row in rows})
    assert {row[1] for row in rows} == {datetime(2011, 10, 29)}
    for _, _, probability, tier, value, reason, version, features in rows:
        low, high = TIERS[tier]
        assert low <= probability <= high
        assert isinstance(value, Decimal)
        assert value >= 0
        assert version == "1"
        assert reason
        assert features
    night = retail_evening.published / "night=2011-10-28" / "part-0.parquet"
    assert night.read_bytes() == latest.read_bytes()


def test_features_when_the_source_lacks_contacts_then_they_are_unavailable_and_said_so(
    athena: Command, retail_evening: Shop
) -> None:
    listed = json.loads(athena(retail_evening.home, "features", "--json").out)
    without = {entry["name"] for entry in listed if entry["unavailable"]}
    assert {"complaints_90d", "campaign_contacts_90d"} <= without
    columns = {name for (name, *_) in retail_evening.rows("DESCRIBE features.customer_features")}
    assert not without & columns


def test_run_when_typed_again_then_there_is_nothing_to_do_and_it_says_so(athena: Command, retail_shop: Shop) -> None:
    before = retail_shop.files()
    answer = athena(retail_shop.home, "run", *SOURCE, "--orders", retail_shop.orders)
    assert answer.code == 0, answer.err
    assert "orders.csv is landed already" in answer.out
    assert "nothing to do: every delivered night is published" in answer.out
    assert "training" not in answer.err
    assert retail_shop.files() == before


def test_run_when_nights_have_been_delivered_then_it_runs_those_and_leaves_the_earlier_ones(
    athena: Command, retail_shop: Shop
) -> None:
    first = (retail_shop.published / "night=2011-10-28" / "part-0.parquet").read_bytes()
    for night in ("2011-10-29", "2011-10-30"):
        loaded = athena(retail_shop.home, "load", "--night", night, "--json", retail_shop.night_file(night))
        assert json.loads(loaded.out)["first_night"] == night
    answer = athena(retail_shop.home, "run", *SOURCE, "--json")
    assert answer.code == 0, answer.err
    summary = json.loads(answer.out)
    assert [(each["model"], each["night"]) for each in summary["published"]] == [("churn", "2011-10-30")]
    assert "training" not in answer.err
    assert (retail_shop.published / "night=2011-10-28" / "part-0.parquet").read_bytes() == first
    lines = delivered(retail_shop, "2011-10-29", "2011-10-30")
    for night in ("2011-10-29", "2011-10-30"):
        path = retail_shop.published / f"night={night}" / "part-0.parquet"
        found = {customer for (customer,) in duckdb.execute(f"SELECT customer_id FROM '{path}'").fetchall()}
        assert found == eligible(lines, night)
    assert summary["accounts"][0]["rows_in"] == len(lines)


def test_simulate_when_the_home_is_another_retailers_then_it_is_parked_and_taken_back(
    athena: Command, retail_shop: Shop
) -> None:
    before, few = retail_shop.files(), ("--customers", 100, "--history-days", 30, "--nights", 0)
    first = athena(retail_shop.home, "simulate", *few)
    assert first.code == 0, first.err
    assert "home of online_retail_ii parked at .athena-online_retail_ii" in first.out
    assert not (retail_shop.home / "published").exists()

    for way_back in ((), ("--orders", retail_shop.orders)):
        back = athena(retail_shop.home, "run", *SOURCE, *way_back)
        assert back.code == 0, back.err
        assert "home of simulator parked at .athena-simulator; home taken back" in back.out
        assert "Orders of online_retail_ii" in back.out
        assert retail_shop.files() == before
        again = athena(retail_shop.home, "simulate", *few)
        assert again.code == 0, again.err
        assert "taken back from .athena-simulator" in again.out
        assert "landed already" in again.out


def test_run_when_a_source_was_never_landed_then_the_home_stays_whose_it_is(athena: Command, retail_shop: Shop) -> None:
    before = retail_shop.files()
    assert athena(retail_shop.home, "simulate", "--customers", 100, "--history-days", 5).code == 1
    mapping = retail_shop.folder / "corner.yaml"
    mapping.write_text(CORNER_SHOP)
    answer = athena(retail_shop.home, "run", "--source", "corner", "--mapping", mapping)
    assert answer.code == 1
    assert "which files did corner deliver?" in answer.err
    assert retail_shop.files() == before


def test_run_when_the_home_of_a_mapped_source_is_parked_then_its_mapping_is_found_there(
    athena: Command, retail_shop: Shop
) -> None:
    mapping = retail_shop.folder / "corner.yaml"
    mapping.write_text(CORNER_SHOP)
    for path in (retail_shop.orders, retail_shop.night_file("2011-10-29")):
        lines = path.read_text().splitlines(keepends=True)[:200]
        path.with_suffix(".txt").write_text("".join(lines))
    bulk, night = (path.with_suffix(".txt") for path in (retail_shop.orders, retail_shop.night_file("2011-10-29")))
    loaded = athena(retail_shop.home, "load", "--mapping", mapping, bulk)
    assert loaded.code == 0, loaded.err
    assert athena(retail_shop.home, "run", *SOURCE).code == 0
    back = athena(retail_shop.home, "load", "--source", "corner", "--night", "2011-10-29", night)
    assert back.code == 0, back.err
    assert "home taken back from .athena-corner" in back.out


@pytest.mark.parametrize("check", [(), ("--check",)], ids=["load", "check"])
def test_load_when_asked_for_json_then_standard_output_is_json_alone(
    check: tuple[str, ...], athena: Command, retail_shop: Shop
) -> None:
    path = retail_shop.night_file("2011-10-29")
    answer = athena(retail_shop.home, "load", "--night", "2011-10-29", *check, "--json", path)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    rows = found["rows_in"] if check else sum(file["rows"] for file in found["files"])
    assert rows == len(path.read_text().splitlines()) - 1
