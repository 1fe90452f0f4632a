"""`athena replay rename`: every figure that it prints is found again in what it left behind."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from athena_assets.features.feature_set import load_feature_set
from athena_assets.incidents.extracts import MAPPING, NightlyDelivery, Retailer
from athena_assets.incidents.naive import run_naive_night
from athena_assets.lifecycle.artifact import load_artifact
from athena_assets.lifecycle.model_spec import find_model
from athena_assets.nights import Night
from athena_assets.sources.source import mapped_source
from resources.registry import ModelRegistry

if TYPE_CHECKING:
    from tests.conftest import Command

GOOD, RENAMED = "2026-10-31", "2026-11-01"
OLD, NEW = "total_order_amount", "order_total_amount"


@dataclass(frozen=True)
class Replayed:
    """What one replay said and kept."""

    folder: Path
    own_home: Path
    book: dict[str, Any]
    measured: dict[str, Any]

    def published(self, night: str) -> str:
        files = self.folder / "home" / "published" / "predictions" / "churn"
        return f"read_parquet('{files}/night={night}/part-0.parquet')"

    def naive(self, night: str) -> str:
        return f"read_parquet('{self.folder}/naive/night={night}.parquet')"


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory, athena: Command) -> Replayed:
    root = tmp_path_factory.mktemp("replay")
    answer = athena(root / "own", "replay", "rename", "--keep", root / "kept", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    return Replayed(root / "kept", root / "own", told["book"], told["measured"])


def ask(sql: str) -> list[tuple[Any, ...]]:
    with duckdb.connect() as connection:
        return connection.execute(sql).fetchall()


def share(of: str, condition: str) -> float:
    return ask(f"SELECT avg(CAST({condition} AS INTEGER)) FROM {of}")[0][0]


def test_replay_when_it_is_over_then_the_persons_own_home_was_not_touched(replayed: Replayed) -> None:
    assert not replayed.own_home.exists()


def test_naive_pipeline_when_nothing_is_missing_then_it_publishes_what_athena_does(replayed: Replayed) -> None:
    columns = "customer_id, churn_probability, risk_tier, expected_value_at_risk"
    same = f"SELECT {columns} FROM {replayed.published(GOOD)} EXCEPT SELECT {columns} FROM {replayed.naive(GOOD)}"
    assert ask(same) == []
    assert ask(f"SELECT count(*) FROM {replayed.naive(GOOD)}") == [(replayed.measured["identical"],)]


def test_naive_pipeline_when_the_column_is_renamed_then_positives_are_those_of_its_file(replayed: Replayed) -> None:
    naive = replayed.measured["naive"]
    positive = "churn_probability >= 0.5"
    assert naive["positive_rate_before"] == pytest.approx(share(replayed.naive(GOOD), positive))
    assert naive["positive_rate_after"] == pytest.approx(share(replayed.naive(RENAMED), positive))
    assert abs(naive["positive_points"]) > 10
    ((value,),) = ask(f"SELECT sum(expected_value_at_risk) FROM {replayed.naive(RENAMED)}")
    assert str(value) == naive["value_at_risk_after"]


def test_null_rate_before_the_rename_when_counted_from_the_extract_then_the_same(replayed: Replayed) -> None:
    """One feature by hand: mean value of a purchase in 90 days, null for a customer without any."""
    extract = f"read_parquet('{replayed.folder}/deliveries/{GOOD}/orders.parquet')"
    ((nulls,),) = ask(f"""
        WITH purchases AS (SELECT * FROM {extract} WHERE NOT is_return AND order_ts < DATE '{GOOD}' + 1),
        active AS (SELECT customer_id, max(order_ts) AS last FROM purchases GROUP BY ALL)
        SELECT avg(CAST(last < DATE '{GOOD}' + 1 - INTERVAL 90 DAY AS INTEGER)) FROM active
        WHERE last >= DATE '{GOOD}' + 1 - INTERVAL 365 DAY
    """)
    rates = {each["name"]: each for each in replayed.measured["naive"]["features"]}
    assert rates["avg_order_value_90d"]["null_before"] == pytest.approx(nulls)
    assert rates["avg_order_value_90d"]["null_after"] == 1.0
    assert replayed.measured["naive"]["null_rate_after"] > 0.05


def test_features_named_as_affected_when_compared_then_they_are_those_that_the_rename_changed(
    replayed: Replayed,
) -> None:
    source = mapped_source(MAPPING)
    features = load_feature_set(
        ("orders", "customers", "service_contacts", "campaign_contacts"),
        business_country=source.mapping.business_country,
    )
    spec = find_model("churn")
    champion = ModelRegistry(replayed.folder / "home").champion("churn").verify()
    artifact = load_artifact(champion.path)
    # The extract with its column called as it was: what the naive pipeline would have made of it.
    mended = replayed.folder / "mended"
    shutil.copytree(replayed.folder / "deliveries" / RENAMED, mended)
    ask(
        f"COPY (SELECT * RENAME ({NEW} AS {OLD}) FROM read_parquet('{mended}/orders.parquet'))"
        f" TO '{mended}/renamed.parquet'"
    )
    (mended / "renamed.parquet").replace(mended / "orders.parquet")
    nights = [NightlyDelivery(Night.parse(night), replayed.folder / "deliveries" / night) for night in days()]
    made = []
    for name, last in (("broken", nights[-1]), ("mended", NightlyDelivery(Night.parse(RENAMED), mended))):
        retailer = Retailer(source, replayed.folder / "deliveries" / "history", (*nights[:-1], last))
        made.append(run_naive_night(retailer, last.night, spec, artifact, features, replayed.folder / name))
    broken, right = made
    changed = {
        name
        for position, name in enumerate(right.features)
        if right.matrix[:, position].tobytes() != broken.matrix[:, position].tobytes()
    }
    assert changed == {each["name"] for each in replayed.measured["downstream"]["features"]}
    # And the night that Athena published after the alias is the one that an extract without a rename gives.
    columns = "customer_id, churn_probability, risk_tier, expected_value_at_risk"
    assert ask(f"SELECT {columns} FROM {replayed.published(RENAMED)} ORDER BY customer_id") == ask(
        f"SELECT {columns} FROM read_parquet('{right.published}') ORDER BY customer_id"
    )


def days() -> list[str]:
    return [str(date(2026, 10, 29 + more)) for more in range(3)] + [RENAMED]


def test_athena_when_the_extract_stood_refused_then_the_last_good_night_stayed_as_it_was(replayed: Replayed) -> None:
    measured = replayed.measured
    assert measured["during"] == measured["before"]
    assert measured["nights_during"] == days()[:-1]
    assert "has not been delivered" in measured["refusal"]["night_said"]
    # At 06:47 on 2 November its as_of, midnight of 1 November, is 30 h 47 min ago.
    assert f"night {GOOD} stays up, 1 d 6 h old" in measured["refusal"]["why"]
    assert measured["recovery"]["published"]["night"] == RENAMED


def test_manifest_of_the_renamed_extract_when_landed_then_only_the_nights_own_rows_count(replayed: Replayed) -> None:
    (renamed,) = [each for each in replayed.measured["deliveries"] if each["first_night"] == RENAMED]
    # It came at 00:30 and was refused; a manifest it has since the engineer on call loaded it again.
    assert renamed["registered_at"] == f"{date(2026, 11, 2)} 06:47:00"
    with duckdb.connect(str(replayed.folder / "home" / "warehouse.duckdb"), read_only=True) as connection:
        landed = connection.execute(
            "SELECT sum(rows_in) FROM orders.accounting WHERE night = $night", {"night": RENAMED}
        ).fetchall()
        earlier = connection.execute(
            "SELECT count(*) FROM raw.orders WHERE night = $night AND CAST(known_at AS DATE) - 1 <> night",
            {"night": RENAMED},
        ).fetchall()
    assert landed == [(renamed["rows_landed"],)]
    assert renamed["rows"] > 100 * renamed["rows_landed"] > 0
    assert earlier == [(0,)]
    assert replayed.measured["recovery"]["earlier_rows_changed"] == 0


def test_incident_when_told_then_it_is_one_alert_with_the_likely_new_name(replayed: Replayed) -> None:
    (alert,) = replayed.measured["refusal"]["alerts"]
    assert alert["title"].startswith(f"night {RENAMED}: raw.orders")
    text = replayed.measured["refusal"]["text"]
    assert f"orders.{OLD} is missing; {NEW} looks like it (name, type, distribution: KS 0.0" in text
    assert "churn (retention-analytics" in text
    assert "spend_180d (customer-insight)" in text


def test_mending_when_done_then_by_the_printed_commands_and_nothing_else(replayed: Replayed) -> None:
    recovery, folder = replayed.measured["recovery"], replayed.folder / "deliveries" / RENAMED
    assert replayed.measured["refusal"]["mend"] == (
        f"athena contracts accept-alias raw.orders {NEW}={OLD} --by NAME --reason TEXT"
        f" && athena load --night {RENAMED} {folder} && athena night {RENAMED}"
    )
    assert [command.split(" --by ")[0] for command in recovery["commands"]] == [
        command.split(" --by ")[0] for command in replayed.measured["refusal"]["mend"].split(" && ")
    ]
    assert recovery["alias"]["by"] == "the engineer on call"
    assert (recovery["rules_failed"], recovery["open_findings"]) == (0, 0)
    assert recovery["rules_evaluated"] > 100


def test_post_mortem_when_drafted_then_it_is_kept_and_tells_the_measured_figures(replayed: Replayed) -> None:
    text = (replayed.folder / "post-mortem.md").read_text(encoding="utf-8")
    naive = replayed.measured["naive"]
    assert f"{naive['positive_points']:+.1f} points" in text
    for delivery in replayed.measured["deliveries"][-2:]:
        assert delivery["delivery_id"] in text
    assert replayed.book["null_rate"] == 0.942
    assert "94.2" not in text
