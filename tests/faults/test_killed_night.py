"""A night killed anywhere and run again publishes the bytes of a night that was never disturbed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

HERE = Path(__file__).parent
NIGHT = "2011-10-29"
COMMIT = "after a commit of "
HALF_PUBLISHED = "after part-0.parquet"
COMMITS = {
    "athena_assets.sources.assets": "raw",
    "athena_assets.orders.assets": "clean",
    "athena_assets.opening.assets": "pins",
    "athena_assets.features.assets": "features",
    "athena_assets.predictions.assets": "the candidate, then what is published of it",
    "checks.table_checks": "the verdicts on each of them",
    "athena_assets.orders.checks": "the verdicts on what intake conserved",
    "athena_assets.predictions.checks": "the verdicts on the candidate",
    "cost.assets": "the bill",
}
"""The modules whose transactions a night has for a source of one table, with what each of them commits."""


@pytest.fixture(scope="module")
def story(
    athena: Command, retail_evening: Shop, tmp_path_factory: pytest.TempPathFactory, repository: Path
) -> dict[str, Any]:
    """What `dying.py` tells of the night."""
    folder = tmp_path_factory.mktemp("killed")
    shop = retail_evening.copied_to(folder / "shop")
    assert athena(shop.home, "load", "--night", NIGHT, shop.night_file(NIGHT)).code == 0
    (folder / "copies").mkdir()
    told = subprocess.run(
        [sys.executable, HERE / "dying.py", shop.folder, folder / "copies", NIGHT, HALF_PUBLISHED],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


def test_night_when_killed_at_every_boundary_in_turn_then_it_ends_with_the_same_bytes(story: dict[str, Any]) -> None:
    boundaries = [kill["at"] for kill in story["killed"]]
    commits = [at.removeprefix(COMMIT).split(" (")[0] for at in boundaries if at.startswith(COMMIT)]
    assert set(commits) == set(COMMITS)
    assert [at for at in boundaries if not at.startswith(COMMIT)] == [
        "before part-0.parquet",
        HALF_PUBLISHED,
        "before latest.parquet",
        "after latest.parquet",
        "before churn.json",
        "after churn.json",
        "before tco.html",
        "after tco.html",
        "the end",
    ]
    assert story["killed"][-1]["visible"] == story["undisturbed"]
    assert story["killed"][-1]["hidden"] == []


def test_reader_when_a_night_was_killed_then_every_file_is_the_old_one_or_the_new_one(story: dict[str, Any]) -> None:
    after = story["undisturbed"]
    before = story["killed"][0]["visible"]
    assert before["churn/latest.parquet"] != after["churn/latest.parquet"]
    for kill in story["killed"]:
        for name, digest in kill["visible"].items():
            assert digest in (before.get(name), after[name]), (kill["at"], name)
    appeared = [f"churn/night={NIGHT}/part-0.parquet" in kill["visible"] for kill in story["killed"]]
    assert appeared == sorted(appeared), "what has been published stays published"


def test_night_when_killed_half_way_through_publishing_then_one_rerun_completes_it(story: dict[str, Any]) -> None:
    (alone,) = story["alone"]
    assert alone["at"] == HALF_PUBLISHED
    night = f"churn/night={NIGHT}/part-0.parquet"
    assert alone["between"][night] == story["undisturbed"][night]
    assert alone["between"]["churn/latest.parquet"] != story["undisturbed"]["churn/latest.parquet"]
    assert alone["visible"] == story["undisturbed"]
    assert alone["hidden"] == []
