"""A night that is run again uses what it used before, whatever has been promoted or delivered since."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from resources.registry import ModelRegistry, Stage

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

NIGHT = "2011-10-28"


def promote_another(shop: Shop, folder: Path) -> None:
    """Register and promote a version that differs from the champion in one number: it is surer by half a logit."""
    registry = ModelRegistry(shop.home)
    champion = registry.champion("churn")
    names = [path.name for path in champion.path.iterdir() if path.is_file() and path.name != "version.json"]
    folder.mkdir()
    for name in names:
        shutil.copyfile(champion.path / name, folder / name)
    calibration = folder / "calibration.json"
    content = json.loads(calibration.read_text())
    content["level"] = [level + 0.5 for level in content["level"]]
    calibration.write_text(json.dumps(content))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["files"]["calibration.json"] = _sha256(calibration)
    (folder / "manifest.json").write_text(json.dumps(manifest))
    version = registry.register(
        "churn",
        folder,
        manifest={**champion.manifest, **manifest},
        metrics=champion.metrics,
        params=champion.params,
        tags={"data_hash": "d", "code_version": "c", "feature_list": "[]", "pipeline_run_id": "test"},
        at=datetime.now(UTC),
    )
    for stage in (Stage.STAGING, Stage.PRODUCTION):
        evidence: dict[str, Any] = {"metrics": dict(champion.metrics)}
        registry.promote(
            "churn", version, stage, reason="a test", actor="test", at=datetime.now(UTC), evidence=evidence
        )
    assert registry.champion("churn").version == version != champion.version


def _sha256(path: Path) -> str:
    from hashlib import sha256

    return sha256(path.read_bytes()).hexdigest()


def published(shop: Shop) -> dict[str, str]:
    return {name: digest for name, digest in shop.files().items() if name.startswith("published/predictions")}


def test_night_when_a_champion_was_promoted_since_then_its_rerun_gives_the_old_bytes_and_current_the_new(
    athena: Command, retail_shop: Shop, tmp_path: Path
) -> None:
    first = published(retail_shop)
    pins = retail_shop.rows("SELECT subject, version FROM ops.night_pins ORDER BY subject")
    promote_another(retail_shop, tmp_path / "another")

    again = athena(retail_shop.home, "night", NIGHT)
    assert again.code == 0, again.err
    assert published(retail_shop) == first
    assert retail_shop.rows("SELECT subject, version FROM ops.night_pins ORDER BY subject") == pins

    current = athena(retail_shop.home, "night", NIGHT, "--current")
    assert current.code == 0, current.err
    new = published(retail_shop)
    assert new.keys() == first.keys()
    assert not set(new.values()) & set(first.values())
    latest = retail_shop.published / "latest.parquet"
    assert duckdb.execute(f"SELECT DISTINCT model_version FROM '{latest}'").fetchall() == [("2",)]

    after = athena(retail_shop.home, "night", NIGHT)
    assert after.code == 0, after.err
    assert published(retail_shop) == new, "the night has pinned what --current used"


def test_night_when_orders_of_it_came_since_then_it_is_not_run_again_unless_told_to(
    athena: Command, retail_shop: Shop
) -> None:
    first, late = published(retail_shop), retail_shop.folder / "late.csv"
    landed = "SELECT delivery_id, sum(rows_in), sum(rows_kept) FROM orders.accounting GROUP BY delivery_id"
    raw = "SELECT delivery_id, count(*) FROM raw.order_lines GROUP BY delivery_id"
    before = retail_shop.rows(landed), retail_shop.rows(raw)
    header, line = retail_shop.night_file("2011-10-29").read_text().splitlines()[:2]
    late.write_text(f"{header}\n{line.replace('2011-10-29', NIGHT)}\n")
    assert athena(retail_shop.home, "load", "--night", NIGHT, late).code == 0
    answer = athena(retail_shop.home, "night", NIGHT)
    assert answer.code == 1
    assert f"the night {NIGHT} was run with another source snapshot" in answer.err
    assert f"athena night {NIGHT} --current to make it anew" in answer.err
    assert published(retail_shop) == first
    assert (retail_shop.rows(landed), retail_shop.rows(raw)) == before, "refused before anything was landed"
