"""The difference between published and planned predictions, on rows that a person can add up."""

from dataclasses import replace
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from athena_assets.lifecycle.model_spec import find_model
from athena_assets.nights import Night
from athena_assets.planning.difference import Mover, compare, latest_published, night_file
from athena_assets.planning.minutes import minutes_of_checks, minutes_of_nights

NIGHT = Night.parse("2026-11-01")


def publish(folder: Path, rows: str) -> Path:
    file = night_file(folder, "churn", NIGHT)
    file.parent.mkdir(parents=True)
    names = "customer_id, churn_probability, risk_tier, model_version"
    exact = "* REPLACE (CAST(churn_probability AS DOUBLE) AS churn_probability)"
    duckdb.execute(f"COPY (SELECT {exact} FROM (VALUES {rows}) v({names})) TO '{file}'")
    return file


def scores(*rows: tuple[str, float, str]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(("customer_id", "probability", "tier"), row, strict=True)) for row in rows])


def test_compare_when_customers_come_go_and_move_then_each_is_counted_once(tmp_path: Path) -> None:
    file = publish(
        tmp_path,
        "('A', 0.1, 'low', '1'), ('B', 0.6, 'medium', '1'), ('C', 0.9, 'high', '1'), ('gone', 0.5, 'medium', '1')",
    )
    planned = scores(("A", 0.3, "medium"), ("B", 0.4, "medium"), ("C", 0.9, "high"), ("new", 0.2, "low"))
    found = compare(find_model("churn"), NIGHT, file, planned, version="2")
    assert (found.customers, found.only_published, found.only_planned) == (3, ("gone",), ("new",))
    counted = {(old, new): count for old, row in found.tiers.items() for new, count in row.items() if count}
    assert counted == {("low", "medium"): 1, ("medium", "medium"): 1, ("high", "high"): 1}
    assert found.tier_changes == 1
    assert (found.mean_change, found.mean_absolute_change) == (0.0, pytest.approx(0.4 / 3, abs=1e-6))
    assert found.largest_absolute_change == 0.2
    assert (found.positive_rate_published, found.positive_rate_planned) == (0.666667, 0.333333)
    # Changes of one size are in the order of customers, whatever the last bits of their floats are.
    assert found.movers == (Mover("A", 0.1, 0.3, "low", "medium"), Mover("B", 0.6, 0.4, "medium", "medium"))


def test_compare_when_nobody_is_in_both_then_nothing_is_averaged(tmp_path: Path) -> None:
    found = compare(
        find_model("churn"), NIGHT, publish(tmp_path, "('A', 0.1, 'low', '1')"), scores(("B", 0.2, "low")), version="2"
    )
    assert (found.customers, found.mean_change, found.largest_absolute_change, found.movers) == (0, 0.0, 0.0, ())


def test_latest_published_when_nights_are_there_then_it_is_the_last_with_a_file(tmp_path: Path) -> None:
    assert latest_published(tmp_path, "churn") is None
    publish(tmp_path, "('A', 0.1, 'low', '1')")
    (tmp_path / "predictions" / "churn" / "night=2026-11-02").mkdir()
    assert latest_published(tmp_path, "churn") == NIGHT


def test_minutes_when_nothing_was_metered_then_none_are_predicted_and_no_store_is_made(tmp_path: Path) -> None:
    store = tmp_path / "cost" / "usage.sqlite"
    for predicted in (minutes_of_nights(store, "churn", 3), minutes_of_checks(store, "orders.orders", 3)):
        assert (predicted.measured, predicted.minutes) == (0, None)
        assert "minutes unknown" in predicted.sentence()
        assert replace(predicted, measured=2, each_seconds=40.0).minutes == 2.0
    assert not store.parent.exists()
