"""What stands beside the predictions: which night is up, and whether a later one was refused."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import duckdb
import pytest

from athena_assets.nights import Night
from athena_assets.predictions.publish import publish_night
from athena_assets.predictions.status import mark_home, mark_published, status_of
from resources.findings import Finding, Findings

UP = Night.parse("2026-01-05")
SEEN = datetime(2026, 1, 7, 3, tzinfo=UTC)
NOW = datetime(2026, 1, 7, 5)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    with duckdb.connect() as connection:
        connection.execute(
            f"CREATE TABLE scores AS SELECT DATE '{UP.key}' AS night, TIMESTAMP '{UP.as_of}' AS as_of, 'C' customer_id"
        )
        publish_night(connection, "scores", UP, tmp_path / "published" / "predictions" / "churn")
    return tmp_path / "published"


def observe(home: Path, partition: str, severity: Literal["ERROR", "WARN"] = "ERROR", summary: str = "nulls") -> None:
    finding = Finding("check", severity, "orders.orders", partition, "completeness", "x.required", summary)
    Findings(home).observe([finding], looked_at=[finding.place], at=SEEN)


def test_status_when_nothing_is_wrong_then_the_night_is_current(published: Path, tmp_path: Path) -> None:
    mark_home(tmp_path, published)
    document = json.loads((published / "status" / "churn.json").read_text())
    assert document == {
        "model": "churn",
        "state": "current",
        "night": "2026-01-05",
        "as_of": "2026-01-06T00:00:00",
        "stale_since": None,
        "refused_night": None,
        "reason": None,
    }


def test_status_when_later_nights_are_refused_then_it_is_stale_since_the_first(published: Path, tmp_path: Path) -> None:
    observe(tmp_path, "2026-01-07", summary="the second")
    observe(tmp_path, "2026-01-06", summary="the first")
    mark_home(tmp_path, published)
    document = json.loads((published / "status" / "churn.json").read_text())
    assert (document["state"], document["night"], document["refused_night"]) == ("stale", "2026-01-05", "2026-01-06")
    assert (document["stale_since"], document["reason"]) == ("2026-01-07T02:00:00", "the first")
    said = status_of(published, "churn", Findings(tmp_path).open()).sentence(NOW)
    assert said == "churn of 2026-01-05, 1 d 5 h old, stale since night 2026-01-06 was refused: the first"


@pytest.mark.parametrize(
    ("partition", "severity"), [("2026-01-06", "WARN"), ("2026-01-05", "ERROR"), ("2025-12-01", "ERROR"), ("", "ERROR")]
)
def test_status_when_what_is_wrong_stops_no_later_night_then_it_is_current(
    published: Path, tmp_path: Path, partition: str, severity: Literal["ERROR", "WARN"]
) -> None:
    observe(tmp_path, partition, severity)
    assert not status_of(published, "churn", Findings(tmp_path).open()).is_stale


def test_status_when_the_night_is_mended_then_the_file_is_that_of_a_home_without_faults(
    published: Path, tmp_path: Path
) -> None:
    mark_home(tmp_path, published)
    clean = (published / "status" / "churn.json").read_bytes()
    observe(tmp_path, "2026-01-06")
    mark_home(tmp_path, published)
    assert (published / "status" / "churn.json").read_bytes() != clean
    Findings(tmp_path).observe([], looked_at=[("orders.orders", "2026-01-06", "completeness")], at=SEEN)
    mark_home(tmp_path, published)
    assert (published / "status" / "churn.json").read_bytes() == clean


def test_status_when_nothing_was_published_then_it_says_so(tmp_path: Path) -> None:
    assert mark_published(tmp_path / "published", []) == []
    assert status_of(tmp_path, "churn", []).sentence(NOW) == "churn: nothing has been published yet"
