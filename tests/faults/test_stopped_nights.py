"""A night that must not be published is stopped by name, and the last good night stays what readers find."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athena_assets.nights import Night
from athena_assets.sources.landing import Landing
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.retailer import simulate
from athena_assets.sources.source import source_named
from resources import warehouse
from tests.conftest import CUSTOMERS

if TYPE_CHECKING:
    from tests.conftest import Answer, Command, Shop

NIGHT, NEXT = "2011-10-29", "2011-10-30"
OF_READERS = ("published", "registry", "landing", "home.json")
"""Parts of a home that a stopped night leaves byte for byte."""


def read_by_others(shop: Shop) -> dict[str, str]:
    files = {name: digest for name, digest in shop.files().items() if name.startswith(OF_READERS)}
    # The status beside the predictions says that they have become stale.
    return {name: digest for name, digest in files.items() if not name.startswith("published/status")}


def published_nights(shop: Shop) -> list[str]:
    return [str(night) for (night,) in shop.rows("SELECT DISTINCT night FROM predictions.churn ORDER BY night")]


def deliver(athena: Command, shop: Shop, night: str, change: Callable[[list[list[str]]], list[list[str]]]) -> None:
    """Register the file of a night after a change of its rows (lists of cells, without the header)."""
    header, *lines = shop.night_file(night).read_text().splitlines()
    rows = change([line.split(",") for line in lines])
    shop.night_file(night).write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    answer = athena(shop.home, "load", "--night", night, shop.night_file(night))
    assert answer.code == 0, answer.err


def stopped(athena: Command, shop: Shop, night: str, *says: str) -> Answer:
    """Run a night that must fail, saying this, and change nothing that others read."""
    before, nights = read_by_others(shop), published_nights(shop)
    answer = athena(shop.home, "night", night)
    assert answer.code == 1
    assert answer.out == ""
    for words in says:
        assert words in answer.err
    assert read_by_others(shop) == before
    assert published_nights(shop) == nights
    return answer


def test_night_when_rows_are_absurd_or_from_the_future_then_they_wait_in_quarantine_with_their_reason(
    athena: Command, retail_shop: Shop
) -> None:
    absurd = ["900000000001", "0000084", "cotton whisk", "1", f"{NIGHT} 10:00:00", "749000.00", "00000168", "France"]
    future = ["900000000002", "0000084", "cotton whisk", "2", "2011-11-05 10:00:00", "7.49", "00000168", "France"]
    unread = ["900000000003", "0000084", "cotton whisk", "many", f"{NIGHT} 10:00:00", "7.49", "00000168", "France"]
    deliver(athena, retail_shop, NIGHT, lambda rows: [*rows * 3, absurd, future, unread])
    answer = athena(retail_shop.home, "night", NIGHT, "--json")
    assert answer.code == 0, answer.err
    kept_out = retail_shop.rows("SELECT reason_code, amount FROM orders.quarantine ORDER BY reason_code")
    assert [code for code, _ in kept_out if code not in ("delivered_twice", "repeated_line")] == [
        "event_from_future",
        "unit_price.maximum",
        "unparseable",
    ]
    assert ("unit_price.maximum", Decimal("749000.0000")) in kept_out
    assert ("event_from_future", Decimal("14.9800")) in kept_out
    figures = json.loads(answer.out)
    assert figures["rows in"] == figures["rows kept"] + figures["rows quarantined"]
    known = "SELECT count(*) FROM orders.all_orders WHERE order_id LIKE '90000000000%'"
    assert retail_shop.rows(known) == [(0,)]


def test_night_when_nobody_is_named_in_its_orders_then_completeness_stops_it(
    athena: Command, retail_shop: Shop
) -> None:
    deliver(athena, retail_shop, NIGHT, lambda rows: [[*row[:6], "", row[7]] for row in rows])
    stopped(
        athena,
        retail_shop,
        NIGHT,
        f"night of {NIGHT} was stopped by",
        "orders.order_lines, completeness: customer_id.null_limit: customer_id is null (100.0",
        "what was published before stays as it is",
    )


def test_night_when_a_contact_is_of_nobody_then_references_stop_it(
    athena: Command, simulated_shop: Shop, tmp_path: Path
) -> None:
    parameters = SimulatorParameters(customers=CUSTOMERS, nights=2)
    folder = simulate(parameters, tmp_path / "delivered", tmp_path / "truth").deliveries[-1].folder
    contacts = folder / "service_contacts.parquet"
    delivered = pq.read_table(contacts)
    of_nobody = {
        "contact_id": "S-900000000001",
        "customer_id": "C-99999999",
        "contact_ts": datetime(2026, 10, 30, 10),
        "topic": "quality",
        "channel": "telephone",
        "is_resolved": False,
        "known_at": datetime(2026, 10, 31, 0, 30),
    }
    pq.write_table(pa.concat_tables([delivered, pa.Table.from_pylist([of_nobody], schema=delivered.schema)]), contacts)
    Landing.of(simulated_shop.home).register(
        source_named("simulator"),
        [folder],
        kind="nightly",
        registered_at=Night.parse("2026-10-30").as_of,
        last_night=Night.parse("2026-10-30"),
    )
    stopped(
        athena,
        simulated_shop,
        "2026-10-30",
        "orders.service_contacts, references:",
        "customer_id",
        "orders.all_customers",
    )


@pytest.mark.parametrize(
    ("poison", "says"),
    [
        (
            "UPDATE predictions.churn_candidate SET churn_probability = 1.7 WHERE night = $night AND customer_id ="
            " (SELECT min(customer_id) FROM predictions.churn_candidate WHERE night = $night)",
            "predictions.churn_candidate, ranges: churn_probability.maximum: churn_probability is above 1 (1 rows",
        ),
        (
            "UPDATE features.customer_features SET orders_365d = NULL WHERE night = $night AND customer_id LIKE '%7'",
            "features.customer_features, completeness: orders_365d",
        ),
        (
            "DELETE FROM features.customer_features WHERE night = $night",
            "features.customer_features",
        ),
    ],
    ids=["probability_above_1", "feature_gone_null", "population_gone"],
)
def test_night_when_a_table_breaks_its_contract_on_the_way_then_the_check_stops_it_and_a_rerun_is_clean(
    poison: str, says: str, athena: Command, retail_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(athena, retail_shop, NIGHT, lambda rows: rows)
    commit, table = warehouse.commit, poison.split()[1 if poison.startswith("UPDATE") else 2]

    def poisoning(connection: duckdb.DuckDBPyConnection) -> None:
        schema, name = table.split(".")
        sql = "SELECT 1 FROM information_schema.tables WHERE table_schema = $schema AND table_name = $name"
        if connection.execute(sql, {"schema": schema, "name": name}).fetchall():
            connection.execute(poison, {"night": NIGHT})
        commit(connection)

    with monkeypatch.context() as patch:
        patch.setattr(warehouse, "commit", poisoning)
        stopped(athena, retail_shop, NIGHT, "was stopped by", says)
    if "probability" in poison:
        assert athena(retail_shop.home, "night", NIGHT).code == 0
        assert published_nights(retail_shop) == ["2011-10-28", NIGHT]


def test_night_when_no_champion_has_been_trained_then_it_says_what_to_train(athena: Command, retail_shop: Shop) -> None:
    shutil.rmtree(retail_shop.home / "registry")
    deliver(athena, retail_shop, NIGHT, lambda rows: rows)
    stopped(
        athena,
        retail_shop,
        NIGHT,
        "churn has no version in production",
        "athena train churn",
    )


@pytest.mark.parametrize("file", ["model.ubj", "linear.json", "version.json"])
def test_night_when_the_champions_artifact_was_tampered_with_then_it_is_not_used(
    file: str, athena: Command, retail_shop: Shop
) -> None:
    deliver(athena, retail_shop, NIGHT, lambda rows: rows)
    path = retail_shop.home / "registry" / "models" / "churn" / "1" / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    stopped(athena, retail_shop, NIGHT, f"{file} is not what was registered as churn version 1", "SHA-256")
    doctor = athena(retail_shop.home, "doctor", "--json")
    assert doctor.code == 1
    assert "is not what was registered as churn version 1" in doctor.out


def test_night_when_its_file_changed_or_went_after_registration_then_it_is_not_read(
    athena: Command, retail_shop: Shop
) -> None:
    deliver(athena, retail_shop, NIGHT, lambda rows: rows)
    path = retail_shop.night_file(NIGHT)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    stopped(athena, retail_shop, NIGHT, f"{NIGHT}.csv is no longer the file that was registered", "SHA-256")
    path.unlink()
    stopped(athena, retail_shop, NIGHT, f"{NIGHT}.csv is no longer the file that was registered", "no such file")
    assert "is no longer the file that was registered" in athena(retail_shop.home, "doctor", "--json").out
    path.write_bytes(whole)
    assert "stale since night" in athena(retail_shop.home, "doctor", "--json").out
    assert athena(retail_shop.home, "night", NIGHT).code == 0
    assert athena(retail_shop.home, "doctor").code == 0


def test_night_when_an_earlier_one_was_left_out_then_the_missing_one_is_named(
    athena: Command, retail_shop: Shop
) -> None:
    deliver(athena, retail_shop, NEXT, lambda rows: rows)
    missing = athena(retail_shop.home, "night", NIGHT)
    assert missing.code == 1
    assert f"the night {NIGHT} has not been delivered, though later ones have" in missing.err
    stopped(
        athena,
        retail_shop,
        NEXT,
        f"it would read orders.accounting {NIGHT}, which has not been written",
        f"athena why orders.accounting {NIGHT}",
    )
    said = athena(retail_shop.home, "why", "orders.accounting", NIGHT).out
    # Where it would lie if it came as the night after it did.
    assert f"athena load --night {NIGHT} {retail_shop.night_file(NIGHT)} && athena night {NIGHT}" in said


def test_night_when_half_of_an_earlier_one_is_gone_then_it_is_named_and_made_again(
    athena: Command, retail_shop: Shop
) -> None:
    for night in (NIGHT, NEXT):
        deliver(athena, retail_shop, night, lambda rows: rows)
    assert athena(retail_shop.home, "night", NIGHT).code == 0
    before = {name: digest for name, digest in retail_shop.files().items() if "predictions" in name}
    with duckdb.connect(str(retail_shop.home / "warehouse.duckdb")) as connection:
        connection.execute(f"DELETE FROM orders.orders WHERE night = DATE '{NIGHT}' AND hash(order_id) % 2 = 0")
    stopped(athena, retail_shop, NEXT, f"lines of orders.orders of {NIGHT}: ", f"next:     athena night {NIGHT}")
    assert athena(retail_shop.home, "night", NIGHT).code == 0
    assert {name: digest for name, digest in retail_shop.files().items() if "predictions" in name} == before
    assert athena(retail_shop.home, "night", NEXT).code == 0
