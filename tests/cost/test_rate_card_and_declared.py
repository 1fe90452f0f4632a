"""Prices and declared costs: dated, sourced, without overlaps, and exact over any calendar."""

from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cost import declared, documents, money, rate_card
from cost.period import Month
from cost.rate_card import Price, RateCard

months = st.builds(Month, st.integers(2001, 2099), st.integers(1, 12))


def price(sku: str = "cpu", start: date = date(2026, 1, 1), end: date | None = None, **changes: object) -> Price:
    given_ = {
        "sku": sku, "description": "x", "unit": "Hours", "list_unit_price": "2", "contracted_unit_price": "1.5",
        "currency": "USD", "valid_from": start, "valid_to": end, "source": "s", "retrieved_at": start, "approver": None,
    }  # fmt: skip
    return Price.model_validate(given_ | changes)


def cost(**changes: object) -> declared.DeclaredCost:
    given_ = {
        "id": "tool", "description": "x", "model": None, "category": "infrastructure", "subcategory": "licences",
        "per_month": "500", "currency": "USD", "valid_from": date(2000, 1, 1), "valid_to": None, "owner": "o",
        "source": "s", "assumption": True,
    }  # fmt: skip
    return declared.DeclaredCost.model_validate(given_ | changes)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_shipped_card_when_read_then_it_has_the_public_prices():
    card = RateCard.load()
    at = datetime(2026, 11, 1, tzinfo=UTC)
    assert card.currency == "USD"
    assert {sku: card.price(sku, at).contracted_unit_price for sku in {each.sku for each in card.prices}} == {
        "cpu-core-hour": Decimal("0.031611"),
        "cpu-core-hour-spot": Decimal("0.006655"),
        "memory-gib-hour": Decimal("0.004237"),
        "storage-gib-hour": Decimal("0.00005479452"),
        "gpu-hour": Decimal("0.95"),
    }
    assert all(each.source and each.retrieved_at for each in card.prices)


def test_card_when_two_prices_of_one_sku_overlap_then_it_is_refused():
    with pytest.raises(rate_card.PricesOverlap, match="2026-06-30"):
        RateCard.of([price(end=date(2026, 7, 1)), price(start=date(2026, 6, 30))])
    with pytest.raises(rate_card.PricesOverlap, match="no end"):
        RateCard.of([price(start=date(2026, 6, 30)), price()])


def test_card_when_one_price_ends_as_the_next_begins_then_every_moment_has_one():
    card = RateCard.of([price(start=date(2026, 7, 1), contracted_unit_price="9"), price(end=date(2026, 7, 1))])
    last = datetime(2026, 6, 30, 23, 59, 59, 999999, tzinfo=UTC)
    assert card.price("cpu", last).contracted_unit_price == Decimal("1.5")
    assert card.price("cpu", datetime(2026, 7, 1, tzinfo=UTC)).contracted_unit_price == 9


def test_card_when_no_price_holds_then_the_error_names_sku_and_day_and_there_is_no_zero():
    card = RateCard.of([price(end=date(2026, 7, 1))])
    with pytest.raises(rate_card.PriceMissing, match="cpu holds on 2026-07-01"):
        card.price("cpu", datetime(2026, 7, 1, tzinfo=UTC))
    with pytest.raises(rate_card.PriceMissing, match="gpu"):
        card.price("gpu", datetime(2026, 6, 1, tzinfo=UTC))


def test_card_when_prices_come_in_two_currencies_then_it_is_refused():
    with pytest.raises(money.MixedCurrencies):
        RateCard.of([price(), price(sku="gpu", currency="EUR")])


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("list_unit_price: 0.031611", "list_unit_price"),
        ('list_unit_price: "0.0000000000001"', "list_unit_price"),
        ('list_unit_price: "-1"', "negative"),
        ("valid_to: 2023-01-01", "not after"),
        ("discount: '1'", "discount"),
    ],
)
def test_price_file_when_an_entry_is_wrong_then_the_error_names_file_entry_and_field(tmp_path, line, named):
    listed = yaml.safe_load(rate_card.SHIPPED.read_text(encoding="utf-8"))
    listed["prices"] = [listed["prices"][0] | yaml.safe_load(line)]
    path = write(tmp_path / "own.yaml", yaml.safe_dump(listed))
    with pytest.raises(documents.InvalidDocument, match=r"own\.yaml, entry 1") as error:
        RateCard.load([path])
    assert named in str(error.value)


def test_price_file_when_it_lists_nothing_then_it_is_refused(tmp_path):
    with pytest.raises(documents.InvalidDocument, match="lists no prices"):
        RateCard.load([write(tmp_path / "own.yaml", "costs: []")])


def test_declared_when_a_quarter_of_216000_then_4500_a_month():
    salary = cost(per_month=None, fte="0.25", loaded_salary_per_year="216000")
    assert salary.in_month(Month(2026, 2)) == 4500
    assert salary.terms == "0.25 FTE of 216,000 USD a year"


@given(st.decimals(min_value=0, max_value=10**9, places=12), st.integers(2001, 2099))
def test_declared_when_a_year_is_split_over_its_days_then_nothing_is_lost(amount, year):
    yearly = cost(per_month=None, per_year=amount)
    days = [part for number in range(1, 13) for part in yearly.by_day(Month(year, number)).values()]
    assert len(days) in (365, 366)
    assert money.total(days) == amount


@given(months, st.decimals(min_value=0, max_value=10**9, places=12))
def test_declared_when_a_month_is_split_over_its_days_then_days_differ_by_a_quantum_at_most(month, amount):
    days = cost(per_month=amount).by_day(month)
    assert money.total(days.values()) == amount
    assert max(days.values()) - min(days.values()) <= money.QUANTUM


def test_declared_when_it_begins_and_ends_within_the_month_then_only_its_days_are_charged():
    days = cost(valid_from=date(2026, 6, 10), valid_to=date(2026, 6, 13)).by_day(Month(2026, 6))
    assert [day.day for day in days] == [10, 11, 12]
    assert all(abs(part - Decimal(500) / 30) < money.QUANTUM for part in days.values())


@pytest.mark.parametrize("changes", [{"per_month": None}, {"per_year": "3"}, {"fte": "0.5"}])
def test_declared_when_it_says_no_amount_or_two_then_it_is_refused(changes):
    with pytest.raises(ValueError, match="needs one of"):
        cost(**changes)


def test_declared_when_an_id_is_used_twice_then_it_is_refused(tmp_path):
    text = (declared.FOLDER / "churn.yaml").read_text(encoding="utf-8")
    paths = [write(tmp_path / name, text) for name in ("a.yaml", "b.yaml")]
    with pytest.raises(declared.DeclaredTwice, match="churn-ml-engineer"):
        declared.load(paths)


def test_declared_seed_when_read_then_every_cost_is_an_owned_assumption():
    costs = declared.load()
    assert {each.id for each in costs} >= {"churn-ml-engineer", "churn-monitoring-tools"}
    assert all(each.assumption and each.owner and each.source for each in costs)
