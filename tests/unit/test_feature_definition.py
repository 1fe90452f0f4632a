"""A definition file that is wrong is refused by file, key, expected and found; a right one can be read aloud."""

import math
from decimal import Decimal
from pathlib import Path

import pytest

from athena_assets.errors import InvalidArgument
from athena_assets.features.definition import DEFINITIONS, InvalidFeature, load_definitions, parse_definition
from athena_assets.features.feature_set import GIVEN_CUSTOMERS, load_feature_set
from athena_assets.features.listing import registry, unused
from athena_assets.features.words import words

GOOD = (DEFINITIONS / "recency_days.sql").read_text()
TABLES = ("orders", "service_contacts", "campaign_contacts", "customers")


def write(folder: Path, text: str, name: str = "recency_days") -> Path:
    path = folder / f"{name}.sql"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("old", "new", "key", "found"),
    [
        ("owner: customer-insight\n", "", "owner", "nothing"),
        ("dtype: INTEGER", "dtype: TEXT", "dtype", "'TEXT'"),
        ("table: orders", "table: invoices", "table", "'invoices'"),
        ("unit: days", "unit: dais", "unit", "'dais'"),
        ("window: history", "window: a while", "window", "'a while'"),
        ("bounds: [1, 36500]", "bounds: [9, 1]", "bounds", "[9, 1]"),
        ("bounds: [1, 36500]", "bounds: [1]", "bounds.1", "nothing"),
        ('null_policy: "null means', 'null_policy: "nulls happen', "null_policy", "'nulls happen"),
        ("owner: customer-insight", "ownr: customer-insight", "owner", "nothing"),
        ("owner: customer-insight", "owner: customer-insight\ncolour: red", "colour", "'red'"),
        ("since: 1.0.0", "since: yesterday", "since", "'yesterday'"),
        ("{value} day{s} ago", "{days} ago", "words.high", "'last bought {days} ago'"),
        ("  phrase: days since last purchase\n", "", "words.phrase", "nothing"),
        ("name: recency_days", "name: recency", "name", "recency"),
    ],
)
def test_a_header_when_a_key_is_wrong_is_refused_with_file_key_and_what_was_found(
    tmp_path: Path, old: str, new: str, key: str, found: str
) -> None:
    assert old in GOOD
    with pytest.raises(InvalidFeature) as error:
        parse_definition(write(tmp_path, GOOD.replace(old, new, 1)))
    message = str(error.value)
    assert message.startswith(f"recency_days.sql: key {key}\n")
    assert error.value.expected
    assert f"found:    {found}" in message


def test_a_header_when_null_is_allowed_needs_words_for_it(tmp_path: Path) -> None:
    text = GOOD.replace('  missing: "has not bought yet"\n', "")
    with pytest.raises(InvalidFeature, match=r"words\.missing"):
        parse_definition(write(tmp_path, text))


@pytest.mark.parametrize(
    "text",
    ["SELECT 1", GOOD.replace("/* ---", "/*"), GOOD.replace("name: ", "name: [", 1), "/* ---\njust text\n--- */\n1\n"],
)
def test_a_file_without_a_readable_header_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidFeature, match=r"recency_days\.sql"):
        parse_definition(write(tmp_path, text))


def test_a_header_that_states_a_key_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidFeature, match="unit"):
        parse_definition(write(tmp_path, GOOD.replace("unit: days\n", "unit: days\nunit: orders\n")))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("count(DISTINCT channel_bit)", "DISTINCT"),
        ("min(days_ago", "brackets"),
        ("avg(total_order_amount)", "total_order_amount stands outside an aggregate"),
        ("days_ago", "days_ago stands outside an aggregate"),
        ("{no_such_feature} + 1", "no_such_feature"),
        ("{recency_days} + 1", "refers to itself"),
    ],
)
def test_an_expression_that_cannot_be_compiled_is_refused(tmp_path: Path, body: str, message: str) -> None:
    write(tmp_path, GOOD.split("--- */\n")[0] + "--- */\n" + body + "\n")
    with pytest.raises(InvalidFeature, match=message):
        load_feature_set(TABLES, business_country=None, folder=tmp_path).sql(GIVEN_CUSTOMERS)


def test_every_definition_that_athena_ships_is_named_like_its_file_and_reads_aloud() -> None:
    for feature in load_definitions():
        for value in (0, 1, 7):
            said = words(feature, value)
            assert len(said) > 3
            assert "{" not in said
            assert "only 0 " not in said or feature.dtype == "DOUBLE" or not (feature.bounds[0] or 0) <= 0


@pytest.mark.parametrize(
    ("name", "value", "typical", "said"),
    [
        ("recency_days", 143, None, "last bought 143 days ago"),
        ("recency_days", 143, 200.0, "bought only 143 days ago"),
        ("recency_days", 1, None, "bought only 1 day ago"),
        ("recency_days", None, None, "has not bought yet"),
        ("recency_days", math.nan, None, "has not bought yet"),
        ("orders_90d", 0, None, "no order in the last 90 days"),
        ("spend_365d", Decimal("1234.5000"), 50.0, "spent 1,234.50 in the last 365 days"),
        ("return_rate_365d", 0.254, None, "25 % of orders are returns"),
        ("recency_over_mean_gap", 2.345, None, "2.3 times the usual gap since the last order"),
        ("is_domestic", True, None, "domestic customer"),
        ("is_domestic", False, None, "customer abroad"),
    ],
)
def test_a_value_is_said_in_words_for_the_retention_team(
    name: str, value: int | float | Decimal | None, typical: float | None, said: str
) -> None:
    (feature,) = [feature for feature in load_definitions() if feature.name == name]
    assert words(feature, value, typical=typical) == said


def test_a_null_that_the_policy_does_not_allow_is_no_words_but_an_error() -> None:
    (feature,) = [feature for feature in load_definitions() if feature.name == "orders_90d"]
    with pytest.raises(InvalidArgument, match="orders_90d is null"):
        words(feature, None)


def test_the_registry_lists_every_feature_with_owner_lineage_consumers_and_availability() -> None:
    entries = registry(load_feature_set(["orders"], business_country=None), {"churn": ["recency_days"], "segments": []})
    by_name = {entry.name: entry for entry in entries}
    assert set(by_name) == {path.stem for path in DEFINITIONS.glob("*.sql")}
    assert by_name["recency_days"].consumers == ("churn",)
    assert by_name["recency_days"].lineage == (("orders.all_orders", "is_return"), ("orders.all_orders", "order_ts"))
    assert by_name["recency_over_mean_gap"].builds_on == ("recency_days", "mean_gap_days")
    assert by_name["complaints_90d"].unavailable is not None
    assert by_name["complaints_90d"].lineage != ()
    assert all(entry.owner for entry in entries)


def test_features_that_nobody_consumes_are_named() -> None:
    features = load_feature_set(["orders"], business_country=None)
    consumed = [name for name in features.columns if name not in ("items_365d", "orders_30d", "weekend_share_365d")]
    entries = registry(features, {"churn": consumed})
    assert unused(entries) == ["orders_30d", "weekend_share_365d"], "items_365d feeds items_per_order_365d"
