"""What `impact` says is affected is what the asset graph says is downstream: two derivations that share no code."""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from athena_assets.definitions import build_athena
from athena_assets.impact import impact_graph
from resources.home import HomeRecord, write_home
from resources.settings import Settings

SOURCES = {"simulator": date(2026, 10, 29), "online_retail_ii": date(2011, 8, 31)}
NOT_DATA = ("ops.", "cost.", "published.", "gate.", "monitoring.")
"""What waits for data without being made of it: the night's pins, the bill, the records."""


def descendants(graph, key: dg.AssetKey) -> set[str]:
    """Tables that are made of an asset, a history and its nights as one."""
    found, waiting = set(), [key]
    while waiting:
        for child in graph.get(waiting.pop()).child_keys - found:
            if not ".".join(child.path).startswith(NOT_DATA):
                found.add(child)
                waiting.append(child)
    return {".".join(each.path).removesuffix("_history") for each in (key, *found)}


@pytest.mark.parametrize("source", SOURCES)
def test_tables_when_one_is_wrong_then_the_affected_are_its_descendants_in_the_asset_graph(
    source: str, tmp_path: Path
) -> None:
    write_home(tmp_path, HomeRecord(source, SOURCES[source]))
    athena = build_athena(Settings(home=tmp_path))
    assets = athena.definitions.resolve_asset_graph()
    impact = impact_graph(athena.retailer.source)
    keys = [key for key in assets.materializable_asset_keys if not ".".join(key.path).startswith(NOT_DATA)]
    assert len(keys) > 15
    expected: dict[str, set[str]] = {}
    for key in keys:
        expected.setdefault(".".join(key.path).removesuffix("_history"), set()).update(descendants(assets, key))
    assert {table: {each.address for each in impact.of(table).tables} for table in expected} == expected
