"""Money is exact: what goes in comes out, split or shown, to the last quantum."""

import csv
from decimal import Decimal
from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost import money

quanta = st.integers(min_value=-(10**26), max_value=10**26)
amounts = quanta.map(money.from_quanta)
weights = st.dictionaries(
    st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=4),
    st.integers(min_value=0, max_value=10**9),
    min_size=1,
    max_size=8,
).filter(lambda found: sum(found.values()) > 0)


@pytest.mark.parametrize("value", [0.1, True, None, "1e3", " 1", "1,000", "NaN", "", "١"])
def test_parse_when_the_value_is_not_plain_decimal_digits_then_it_is_refused_by_name(value):
    with pytest.raises(money.InvalidAmount, match="the fee"):
        money.parse(value, what="the fee")


@pytest.mark.parametrize("value", ["0.0000000000001", "1.1234567890123", Decimal("1e-13")])
def test_parse_when_finer_than_the_quantum_then_it_is_refused_by_name(value):
    with pytest.raises(money.InvalidAmount, match="the fee is finer"):
        money.parse(value, what="the fee")


def test_parse_when_trailing_zeros_go_beyond_the_quantum_then_the_amount_is_kept():
    assert money.parse("2.000000000000000", what="x") == 2


def test_total_when_it_needs_more_digits_than_pythons_default_context_then_nothing_is_lost():
    large, small = money.parse("99999999999999999999999999", what="x"), money.parse("0.000000000001", what="x")
    assert str(money.total([large, small])) == "99999999999999999999999999.000000000001"


@given(amounts, weights)
def test_split_when_weights_are_anything_then_the_parts_add_up_and_are_within_a_quantum(amount, weighted):
    parts = money.split(amount, weighted)
    assert sum(money.to_quanta(part) for part in parts.values()) == money.to_quanta(amount)
    whole = sum(weighted.values())
    for key, part in parts.items():
        fair = Fraction(money.to_quanta(amount) * weighted[key], whole)
        assert abs(money.to_quanta(part) - fair) < 1


@given(amounts, weights, st.randoms())
def test_split_when_the_order_of_receivers_changes_then_nothing_else_does(amount, weighted, random):
    shuffled = list(weighted.items())
    random.shuffle(shuffled)
    assert money.split(amount, dict(shuffled)) == money.split(amount, weighted)


@given(amounts, weights)
def test_split_when_a_charge_is_taken_back_then_every_receiver_is_back_at_zero(amount, weighted):
    given_, taken = money.split(amount, weighted), money.split(-amount, weighted)
    assert all(given_[key] + taken[key] == 0 for key in weighted)


def test_split_when_the_specification_gives_an_example_then_it_comes_out():
    assert money.split(Decimal(100), {"a": 40, "b": 35, "c": 25}) == {"a": 40, "b": 35, "c": 25}
    node = money.split(Decimal(35), {"pod-1": 3, "pod-2": 3, "idle": 1})
    assert node == {"pod-1": 15, "pod-2": 15, "idle": 5}


def test_split_when_three_share_a_quantum_too_many_then_the_first_keys_take_it():
    parts = money.split(money.from_quanta(5), {"c": 1, "a": 1, "b": 1})
    assert {key: money.to_quanta(part) for key, part in parts.items()} == {"a": 2, "b": 2, "c": 1}


@pytest.mark.parametrize("weighted", [{}, {"a": 0}, {"a": 2, "b": -1}])
def test_split_when_there_is_nothing_to_split_by_then_it_is_refused(weighted):
    with pytest.raises(money.NothingToSplitBy):
        money.split(Decimal(1), weighted)


@given(st.dictionaries(st.integers(), amounts, max_size=12))
def test_shown_when_amounts_are_anything_then_the_column_adds_up_to_its_rounded_total(found):
    column = money.shown(found, "USD")
    assert money.total(column.values()) == money.rounded(money.total(found.values()), "USD")
    assert all(abs(column[key] - found[key]) < Decimal("0.01") for key in found)


def test_shown_when_the_order_of_lines_changes_then_the_same_line_takes_the_cent():
    lines = [("a", Decimal("0.005")), ("b", Decimal("0.005")), ("c", Decimal("0.005"))]
    columns = [money.shown(dict(order), "USD") for order in permutations(lines)]
    assert all(column == columns[0] for column in columns)
    assert columns[0] == {"a": Decimal("0.01"), "b": Decimal("0.01"), "c": Decimal("0.00")}


def test_shown_when_the_currency_has_no_subunit_then_whole_units_are_shown():
    assert money.shown({"a": Decimal("1.5"), "b": Decimal("1.6")}, "JPY") == {"a": Decimal(1), "b": Decimal(2)}


def test_shown_when_the_currency_is_unknown_then_it_is_refused():
    with pytest.raises(money.InvalidAmount, match="XYZ"):
        money.shown({"a": Decimal(1)}, "XYZ")


def test_one_currency_when_there_are_two_then_the_amounts_are_not_added():
    with pytest.raises(money.MixedCurrencies, match="EUR, USD"):
        money.one_currency(["USD", "EUR"])


def test_per_unit_when_there_is_no_denominator_then_it_is_null_and_never_zero():
    assert money.per_unit(Decimal(5), 0) is None
    assert money.per_unit(Decimal(5), None) is None
    assert money.per_unit(Decimal(1), 3) == Decimal("0.333333333333")


def test_focus_sample_when_summed_then_it_is_exact_and_its_columns_add_up_to_20_52(shared_data):
    with (shared_data / "focus" / "focus_sample_1.0.csv").open(encoding="utf-8", newline="") as file:
        bill = {
            number: money.parse(row["BilledCost"], what="BilledCost") for number, row in enumerate(csv.DictReader(file))
        }
    assert money.total(bill.values()) == Decimal("20.52022672899")
    assert sum(money.shown(bill, "USD").values()) == Decimal("20.52")
    assert sum(money.rounded(each, "USD") for each in bill.values()) == Decimal("20.57")
