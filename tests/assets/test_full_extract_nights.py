"""A night of a full extract lands its own rows, says what the extract rewrites, and takes none of that."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import duckdb
import pytest

from athena_assets.atomic import replace_text
from athena_assets.definitions import build_athena
from athena_assets.incidents.extracts import MAPPING, NightlyDelivery, deliver
from athena_assets.sources.landing import Landing
from athena_assets.sources.simulator import population
from athena_assets.sources.simulator.parameters import SimulatorParameters
from resources.home import HomeRecord, write_home
from resources.orchestrator import Orchestrator
from resources.settings import Settings

PARAMETERS = SimulatorParameters(customers=300, nights=2, history_days=90, products=50)


def figures(orchestrator: Orchestrator, table: str) -> dict[str, object]:
    """What the last materialisation of a raw table says."""
    event = orchestrator.instance.get_latest_materialization_event(dg.AssetKey(["raw", table]))
    assert event is not None
    assert event.asset_materialization is not None
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}


def test_night_when_the_extract_rewrites_the_past_then_it_is_counted_and_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name in ("ATHENA_HOME", "DAGSTER_HOME", "ATHENA_DAGSTER_STORAGE"):
        monkeypatch.setenv(name, str(home))
    # Three blocks, so that the simulator writes the history in parts.
    monkeypatch.setattr(population, "BLOCK_CUSTOMERS", 100)
    retailer = deliver(PARAMETERS, tmp_path / "deliveries", scratch=tmp_path / "scratch")
    landing = Landing.of(home)
    first, second = retailer.nights
    with duckdb.connect() as connection:
        # One price of the history was changed, one order of it is gone.
        orders, changed = second.folder / "orders.parquet", second.folder / "changed.parquet"
        connection.execute(
            f"COPY (SELECT * REPLACE (total_order_amount + (file_row_number = 3)::INTEGER AS total_order_amount)"
            f" FROM read_parquet('{orders}', file_row_number = true) WHERE file_row_number <> 7) TO '{changed}'"
        )
        connection.execute(f"COPY (SELECT * EXCLUDE (file_row_number) FROM read_parquet('{changed}')) TO '{orders}'")
        changed.unlink()
    before = NightlyDelivery(first.night.plus(-1), retailer.history)
    landing.register(
        retailer.source, [retailer.history], kind="bulk", registered_at=before.arrived_at, last_night=before.night
    )
    for each in retailer.nights:
        landing.register(
            retailer.source, [each.folder], kind="nightly", registered_at=each.arrived_at, last_night=each.night
        )
    (home / "mappings").mkdir()
    replace_text(home / "mappings" / f"{retailer.source.name}.yaml", MAPPING.read_text())
    write_home(home, HomeRecord(retailer.source.name, first.night.day))

    settings = Settings(home=home)
    orchestrator = Orchestrator(settings, build_athena(settings).definitions)
    orchestrator.execute("history")
    told = {}
    for each in retailer.nights:
        orchestrator.execute("night", partition=each.night.key, group="sources")
        told[each.night] = figures(orchestrator, "orders")
    names = ("earlier_rows_not_landed", "earlier_rows_no_longer_told")
    assert [told[first.night][name] for name in names] == [0, 0]
    assert [told[second.night][name] for name in names] == [1, 2]
    assert names[0] not in figures(orchestrator, "service_contacts")
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        history = f"SELECT order_id, total_order_amount FROM read_parquet('{retailer.history}/orders.parquet')"
        landed = "SELECT order_id, total_order_amount FROM raw.orders_history"
        assert connection.execute(f"{landed} EXCEPT ALL {history}").fetchall() == []
        assert connection.execute(f"{history} EXCEPT ALL {landed}").fetchall() == []
        nights = connection.execute("SELECT DISTINCT night, CAST(known_at AS DATE) - 1 FROM raw.orders").fetchall()
    assert all(night == known for night, known in nights)
