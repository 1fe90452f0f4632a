"""The landing zone: a delivery is recorded whole or not at all, once, and proven unchanged when read."""

import json
import shutil
from datetime import date, datetime
from pathlib import Path

import duckdb
import pytest

from athena_assets.nights import Night
from athena_assets.sources import landing as landing_module
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.errors import (
    AlreadyDelivered,
    DeliveryChanged,
    LandingFailed,
    ManifestDamaged,
    UnknownDelivery,
    UnreadableFile,
)
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import source_named

RETAIL = source_named("online_retail_ii")
HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
NOW = datetime(2011, 1, 1, 9)


def lines_file(path: Path, *days: str, quantity: int = 2) -> Path:
    rows = [f"5{n},85123A,HEART,{quantity},{day} 10:00:00,2.55,17850,France" for n, day in enumerate(days)]
    path.write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def landing(tmp_path: Path) -> Landing:
    return Landing.of(tmp_path / "home")


def bulk(landing: Landing, path: Path) -> Delivery:
    return landing.register(RETAIL, [path], kind="bulk", registered_at=NOW)


def nightly(landing: Landing, path: Path, night: str) -> Delivery:
    return landing.register(RETAIL, [path], kind="nightly", registered_at=NOW, last_night=Night.parse(night))


def test_manifest_states_nights_rows_and_exact_money(tmp_path: Path, landing: Landing) -> None:
    delivery = bulk(landing, lines_file(tmp_path / "a.csv", "2010-12-01", "2010-12-03"))
    assert (delivery.first_night, delivery.last_night) == (date(2010, 12, 1), date(2010, 12, 3))
    manifest = json.loads((landing.root / "deliveries" / f"{delivery.delivery_id}.json").read_text())
    assert manifest["files"][0]["rows"] == 2
    assert manifest["files"][0]["amount"] == "10.2000"
    assert manifest["registered_at"] == "2011-01-01T09:00:00"
    assert landing.deliveries() == (delivery,)


def test_delivery_id_depends_on_content_alone(tmp_path: Path, landing: Landing) -> None:
    first = bulk(landing, lines_file(tmp_path / "a.csv", "2010-12-01"))
    elsewhere = Landing.of(tmp_path / "other")
    again = elsewhere.register(
        RETAIL,
        [lines_file(tmp_path / "renamed.csv", "2010-12-01")],
        kind="bulk",
        registered_at=datetime(2020, 5, 5),
    )
    other = bulk(landing, lines_file(tmp_path / "b.csv", "2010-12-01", quantity=3))
    assert first.delivery_id == again.delivery_id != other.delivery_id


def test_events_after_the_moment_of_delivery_do_not_stretch_its_nights(tmp_path: Path, landing: Landing) -> None:
    delivery = bulk(landing, lines_file(tmp_path / "a.csv", "2010-12-01", "2010-12-03", "2031-01-01"))
    assert delivery.last_night == date(2010, 12, 3)
    with pytest.raises(UnreadableFile, match="lies before the moment of delivery"):
        bulk(landing, lines_file(tmp_path / "b.csv", "2031-01-01"))


def test_same_file_twice_names_the_earlier_delivery(tmp_path: Path, landing: Landing) -> None:
    first = bulk(landing, lines_file(tmp_path / "a.csv", "2010-12-01"))
    copied = tmp_path / "copy.csv"
    shutil.copy(tmp_path / "a.csv", copied)
    with pytest.raises(AlreadyDelivered) as caught:
        nightly(landing, copied, "2010-12-02")
    assert caught.value.delivery_id == first.delivery_id
    assert "copy.csv was delivered before" in str(caught.value)
    assert first.delivery_id in str(caught.value)
    assert landing.deliveries() == (first,)


def test_second_delivery_of_a_night_is_refused(tmp_path: Path, landing: Landing) -> None:
    first = nightly(landing, lines_file(tmp_path / "a.csv", "2010-12-02"), "2010-12-02")
    with pytest.raises(AlreadyDelivered, match="2010-12-02 of online_retail_ii was delivered before"):
        nightly(landing, lines_file(tmp_path / "b.csv", "2010-12-02", quantity=5), "2010-12-02")
    assert landing.for_night("online_retail_ii", Night.parse("2010-12-02")) == first


def test_nights_without_a_sale_are_deliveries_of_their_own(tmp_path: Path, landing: Landing) -> None:
    empty = lines_file(tmp_path / "a.csv")
    saturday, sunday = nightly(landing, empty, "2010-12-04"), nightly(landing, empty, "2010-12-05")
    assert saturday.delivery_id != sunday.delivery_id
    assert sunday.files[0].rows == 0


def test_night_that_has_not_come_is_named_with_what_there_is(tmp_path: Path, landing: Landing) -> None:
    with pytest.raises(UnknownDelivery, match="has no history"):
        landing.bulk("online_retail_ii")
    history = bulk(landing, lines_file(tmp_path / "a.csv", "2010-12-01", "2010-12-03"))
    with pytest.raises(UnknownDelivery) as caught:
        landing.for_night("online_retail_ii", Night.parse("2010-12-09"))
    assert "night 2010-12-09 of online_retail_ii has not been delivered" in str(caught.value)
    assert "bulk 2010-12-01 to 2010-12-03" in str(caught.value)
    assert landing.covering("online_retail_ii", Night.parse("2010-12-02")) == (history,)
    assert landing.covering("online_retail_ii", Night.parse("2010-12-09")) == ()


def test_nightly_delivery_without_its_night_is_refused(tmp_path: Path, landing: Landing) -> None:
    with pytest.raises(UnknownDelivery, match="without its night"):
        landing.register(RETAIL, [lines_file(tmp_path / "a.csv", "2010-12-01")], kind="nightly", registered_at=NOW)


@pytest.mark.parametrize("change", ["altered", "removed"])
def test_changed_file_is_not_read(tmp_path: Path, landing: Landing, change: str) -> None:
    path = lines_file(tmp_path / "a.csv", "2010-12-01")
    delivery = bulk(landing, path)
    if change == "altered":
        path.write_text(path.read_text().replace("2.55", "9.55"))
    else:
        path.unlink()
    with duckdb.connect() as connection, pytest.raises(DeliveryChanged, match=r"a\.csv is no longer the file"):
        landing.raw_selects(connection, RETAIL, delivery, "order_lines")


def test_changed_conversion_is_not_read(tmp_path: Path, landing: Landing) -> None:
    path = lines_file(tmp_path / "a.csv", "2010-12-01")
    path.write_bytes(path.read_text().replace("HEART", "CAFÉ").encode("cp1252"))
    delivery = bulk(landing, path)
    assert delivery.files[0].read_from is not None
    converted = landing.root / delivery.files[0].read_from
    assert landing.verified(delivery, delivery.files[0]) == converted
    converted.write_text(converted.read_text().replace("2.55", "9.55"))
    with pytest.raises(DeliveryChanged):
        landing.verified(delivery, delivery.files[0])


def test_failure_before_the_manifest_leaves_no_delivery(
    tmp_path: Path, landing: Landing, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = lines_file(tmp_path / "a.csv", "2010-12-01")
    replace = landing_module.os.replace

    def full(source: Path, target: Path) -> None:
        if Path(target).suffix == ".json":
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(landing_module.os, "replace", full)
    with pytest.raises(LandingFailed, match="No space left on device"):
        bulk(landing, path)
    assert [item for item in landing.root.rglob("*") if item.is_file()] == []
    monkeypatch.undo()
    assert bulk(landing, path).files[0].rows == 1


def test_damaged_manifest_is_named(tmp_path: Path, landing: Landing) -> None:
    delivery = bulk(landing, lines_file(tmp_path / "a.csv", "2010-12-01"))
    manifest = landing.root / "deliveries" / f"{delivery.delivery_id}.json"
    manifest.write_text(manifest.read_text()[:40])
    with pytest.raises(ManifestDamaged, match=delivery.delivery_id):
        landing.deliveries()


def test_delivery_that_lacks_a_table_is_refused(tmp_path: Path, landing: Landing) -> None:
    folder = tmp_path / "night"
    folder.mkdir()
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT 1 AS order_id) TO '{folder}/order_lines.parquet'")
    with pytest.raises(UnreadableFile, match="lacks orders, customers, products"):
        landing.register(source_named("simulator"), [folder], kind="bulk", registered_at=NOW)
