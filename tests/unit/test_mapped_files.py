"""A retailer of one's own: a mapping YAML, its errors, and a real third retailer read through one."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
import yaml

from athena_assets.orders.preview import preview
from athena_assets.sources import mapped
from athena_assets.sources.errors import AlreadyDelivered, MappingInvalid, UnknownSource
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import Source, mapped_source, source_named

EXAMPLE = Path(mapped.__file__).parent / "examples" / "complete_journey.yaml"
NOW = datetime(2020, 1, 1, 9)
SHOP = {
    "name": "corner_shop",
    "description": "a till that prints",
    "currency": "EUR",
    "timezone": "Europe/Vienna",
    "max_unparsed_share": 0.5,
    "tables": {
        "order_lines": {
            "returns": "positive",
            "delimiter": ";",
            "columns": {
                "order_id": {"from": "Bon"},
                "customer_id": {"from": "Karte", "prefix": "C-"},
                "order_ts": {"from": "Zeit", "formats": ["%d.%m.%Y %H:%M"]},
                "product_id": {"from": "Artikel"},
                "quantity": {"from": "Menge"},
                "unit_price": {"from": "Preis"},
                "is_return": {"from": "Storno"},
                "channel": {"constant": "store"},
            },
            "ignore": ["Kassa"],
        }
    },
}


def shop_with(tmp_path: Path, changes: dict | None = None) -> Source:
    path = tmp_path / "corner_shop.yaml"
    path.write_text(yaml.safe_dump(SHOP | (changes or {})), encoding="utf-8")
    return mapped_source(path)


def till(tmp_path: Path, *rows: str) -> Path:
    path = tmp_path / "till.csv"
    path.write_text("\n".join(["Bon;Karte;Zeit;Artikel;Menge;Preis;Storno;Kassa", *rows]) + "\n", encoding="utf-8")
    return path


def test_mapped_file_is_judged_like_any_other(tmp_path: Path) -> None:
    path = till(
        tmp_path,
        "1;7;24.12.2019 10:15;A;2;1.50;false;K1",
        "2;7;27.12.2019 09:00;A;1;1.50;true;K1",
        "3;;27.12.2019 09:00;B;1;2.00;false;K1",
        "4;8;soon;B;1;2.00;false;K1",
    )
    found = preview(shop_with(tmp_path), [path], kind="bulk", registered_at=NOW)
    assert (found.first_night, found.last_night) == (date(2019, 12, 24), date(2019, 12, 27))
    assert (found.rows_in, found.rows_kept, found.rows_quarantined) == (4, 3, 1)
    assert (found.amount_in, found.amount_kept) == (Decimal("5.5000"), Decimal("3.5000"))
    assert {(reason.code, reason.kept, reason.rows, reason.amount) for reason in found.reasons} == {
        ("sale", True, 1, Decimal("3.0000")),
        ("return", True, 1, Decimal("-1.5000")),
        ("anonymous_sale", True, 1, Decimal("2.0000")),
        ("unparseable", False, 1, Decimal("2.0000")),
    }
    assert found.as_json()["amount_in"] == "5.5000"


def test_check_writes_nothing_and_names_a_file_delivered_before(tmp_path: Path) -> None:
    source = shop_with(tmp_path)
    path = till(tmp_path, "1;7;24.12.2019 10:15;A;2;1.50;false;K1")
    landing = Landing.of(tmp_path / "home")
    preview(source, [path], kind="bulk", registered_at=NOW, landing=landing)
    assert not (tmp_path / "home").exists()
    first = landing.register(source, [path], kind="bulk", registered_at=NOW)
    with pytest.raises(AlreadyDelivered, match=first.delivery_id):
        preview(source, [path], kind="bulk", registered_at=NOW, landing=landing)


def test_check_of_headers_compares_them_with_their_lines(tmp_path: Path) -> None:
    columns = {
        name: {"from": name} for name in ("order_id", "customer_id", "order_ts", "total_order_amount", "is_return")
    }
    tables = SHOP["tables"] | {"orders": {"files": ["bons.csv"], "columns": columns}}
    tables["order_lines"] = tables["order_lines"] | {"files": ["till.csv"]}
    source = shop_with(tmp_path, {"tables": tables})
    path = till(
        tmp_path,
        "1;7;24.12.2019 10:15;A;2;1.50;false;K1",
        "2;7;24.12.2019 10:20;A;1;1.50;false;K1",
        "3;7;24.12.2019 10:30;A;1;1.50;false;K1",
    )
    headers = tmp_path / "bons.csv"
    headers.write_text(
        "order_id,customer_id,order_ts,total_order_amount,is_return\n"
        "1,C-7,2019-12-24 10:15:00,3.00,false\n2,C-7,2019-12-24 10:20:00,9.00,false\n3,C-7,2019-12-24 10:30:00,,false\n"
    )
    found = preview(source, [path, headers], kind="bulk", registered_at=NOW)
    assert {(r.code, r.rows) for r in found.reasons if r.table == "orders"} == {
        ("order", 1),
        ("total_differs_from_lines", 1),
        # Without a total: features count on one in every order that is kept.
        ("unparseable", 1),
    }


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"currency": "euro"}, "currency", "pattern"),
        ({"timezone": "Vienna"}, "timezone", "IANA time zone"),
        ({"name": "Corner Shop"}, "name", "pattern"),
        ({"colour": "red"}, "colour", "not permitted"),
        ({"tables": {}}, "whole file", "order_lines"),
        ({"tables": {"order_lines": {"columns": {}}}}, "order_lines.columns", "missing is_return, order_id"),
        ({"tables": SHOP["tables"] | {"baskets": {"columns": {}}}}, "tables.baskets", "one of order_lines"),
    ],
)
def test_mapping_error_names_file_key_and_expectation(tmp_path: Path, changes: dict, key: str, expected: str) -> None:
    with pytest.raises(MappingInvalid) as caught:
        shop_with(tmp_path, changes)
    assert "corner_shop.yaml" in str(caught.value)
    assert key in str(caught.value)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("column", "spec", "expected"),
    [
        ("channel", {"from": "Kanal", "constant": "store"}, "exactly one of"),
        ("channel", {}, "exactly one of"),
        ("channel", {"from": "Kassa"}, "'Kassa' is also mapped to channel"),
        ("colour", {"from": "Farbe"}, "columns.colour: expected one of"),
        ("channel", {"from": "Bon", "aliases": ["Beleg"]}, "declared twice with different aliases"),
        ("channel", {"from": "x", "trim": True}, "not permitted"),
    ],
)
def test_column_mapping_that_cannot_be_meant_is_refused(tmp_path: Path, column: str, spec: dict, expected: str) -> None:
    lines = SHOP["tables"]["order_lines"]
    changed = {"tables": {"order_lines": lines | {"columns": lines["columns"] | {column: spec}}}}
    with pytest.raises(MappingInvalid, match=expected):
        shop_with(tmp_path, changed)


@pytest.mark.parametrize("text", ["name: [unclosed", "- a list", "\xff"])
def test_file_that_is_no_mapping_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "odd.yaml"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(MappingInvalid, match=r"odd\.yaml"):
        mapped_source(path)
    with pytest.raises(MappingInvalid, match=r"none\.yaml"):
        mapped_source(tmp_path / "none.yaml")


def test_mapped_source_is_found_by_name_beside_the_shipped_ones(tmp_path: Path) -> None:
    shop_with(tmp_path)
    assert source_named("corner_shop", tmp_path).currency == "EUR"
    with pytest.raises(UnknownSource, match="online_retail_ii, simulator, corner_shop"):
        source_named("corner_shops", tmp_path)
    with pytest.raises(MappingInvalid, match="name is taken"):
        shop_with(tmp_path, {"name": "simulator"})


def test_column_nobody_mapped_is_said_until_it_is_ignored(tmp_path: Path) -> None:
    path = till(tmp_path, "1;7;24.12.2019 10:15;A;2;1.50;false;K1")
    lines = SHOP["tables"]["order_lines"] | {"ignore": []}
    source = shop_with(tmp_path, {"tables": {"order_lines": lines}})
    said = "new column 'Kassa' is not in the contract of raw.order_lines and was not read"
    assert preview(source, [path], kind="bulk", registered_at=NOW).unread_columns == (said,)
    assert preview(shop_with(tmp_path), [path], kind="bulk", registered_at=NOW).unread_columns == ()


def test_real_third_retailer_reconciles_through_its_mapping(shared_data: Path) -> None:
    """75,000 lines, 233,935.24 dollars: the figures of the file itself."""
    path = shared_data / "complete_journey" / "cj_transactions_sample.parquet"
    found = preview(mapped_source(EXAMPLE), [path], kind="bulk", registered_at=NOW)
    assert (found.rows_in, found.rows_kept, found.rows_quarantined) == (75_000, 75_000, 0)
    assert found.amount_in == found.amount_kept == Decimal("233935.2400")
    assert (found.currency, found.first_night, found.last_night) == (
        "USD",
        date(2017, 1, 1),
        date(2018, 1, 1),
    )
