"""A history that the simulator wrote in parts, by several processes, is landed whole and in its order."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from athena_assets.definitions import build_athena
from athena_assets.sources.landing import Landing
from athena_assets.sources.simulator import population
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_cli.simulating import land_simulator
from resources.orchestrator import Orchestrator
from resources.settings import Settings

PARAMETERS = SimulatorParameters(customers=300, nights=1, history_days=90, products=50)


def test_history_when_it_was_written_in_parts_then_every_row_is_landed_and_none_quarantined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    for name in ("ATHENA_HOME", "DAGSTER_HOME", "ATHENA_DAGSTER_STORAGE"):
        monkeypatch.setenv(name, str(home))
    monkeypatch.setattr(population, "BLOCK_CUSTOMERS", 100)
    settings = Settings(home=home, threads=2)
    land_simulator(settings, PARAMETERS)
    (bulk,) = Landing.of(home).bulk("simulator")
    parts = [Path(file.path) for file in bulk.files_of("order_lines")]
    assert [path.name for path in parts] == [f"order_lines-0000{block}.parquet" for block in "012"]
    Orchestrator(settings, build_athena(settings).definitions).execute("history")
    delivered = f"read_parquet({[str(path) for path in parts]}, hive_partitioning = false)"
    columns = "order_id, product_id, quantity, unit_price, order_ts, customer_id, known_at"
    with duckdb.connect(str(settings.warehouse_path), read_only=True) as connection:
        landed = connection.execute(f"SELECT {columns} FROM raw.order_lines_history ORDER BY source_row").fetchall()
        assert landed == connection.execute(f"SELECT {columns} FROM {delivered}").fetchall()
        ((kept, quarantined),) = connection.execute(
            "SELECT sum(rows_kept), sum(rows_quarantined) FROM orders.accounting_history"
            " WHERE table_name = 'order_lines'"
        ).fetchall()
    assert (kept, quarantined) == (len(landed), 0)
