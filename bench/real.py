"""The real retailer's file: registering, landing, cleaning, features, against reading the file with DuckDB alone.

Nothing is trained or judged here, and the history ends on 2011-05-30: what came after it is kept for the one evaluation
that docs/benchmarks.md reports.
"""

import statistics
import time
from collections.abc import Mapping
from pathlib import Path

import duckdb

from athena_assets.features.evaluate import evaluate_active
from athena_assets.nights import Night
from athena_assets.sources.source import source_named
from athena_cli.evening import land_history
from athena_cli.sources import register_files
from athena_cli.workplace import Workplace
from bench.metered import last_run
from bench.retailer import temporary_home
from bench.table import Table, ratio, seconds
from resources.settings import load_settings

SOURCE = "online_retail_ii"
FIRST_NIGHT = "2011-05-30"
BARE = Path(__file__).parent / "sql" / "bare_real_orders.sql"
FLOOR = "DuckDB alone: read, filter, features (floor)"
THREADS = 2


def measure(orders: Path, rounds: int) -> Table:
    """The history of the real file up to `FIRST_NIGHT`, `rounds` times from nothing."""
    found: list[Mapping[str, float]] = []
    floors = []
    lines = 0
    for _ in range(rounds):
        parts, lines = _once(orders)
        found.append(parts)
        floors.append(_floor_seconds(orders))
    floor = statistics.median(floors)
    names = dict.fromkeys(name for parts in found for name in parts)
    medians = {name: statistics.median(parts.get(name, 0.0) for parts in found) for name in names}
    whole = statistics.median(sum(parts.values()) for parts in found)
    rows = [(name, seconds(value), ratio(value, floor)) for name, value in medians.items()]
    return Table(
        f"Online Retail II to {FIRST_NIGHT}: {lines:,} lines",
        ("part", "wall s", "to the floor"),
        (*rows, ("all of it", seconds(whole), ratio(whole, floor)), (FLOOR, seconds(floor), "1.00")),
        (f"Median of {rounds}, each figure by itself; the floor accounts for nothing and keeps no raw row.",),
    )


def _once(orders: Path) -> tuple[dict[str, float], int]:
    with temporary_home() as home:
        settings = load_settings()
        started = time.perf_counter()
        register_files(settings, source_named(SOURCE, mapped=home / "mappings"), [orders], first_night=FIRST_NIGHT)
        parts = {"read and register the file": time.perf_counter() - started}
        workplace = Workplace(settings)
        land_history(workplace)
        parts |= last_run(settings.usage_path).wall
        night = Night.parse(FIRST_NIGHT).plus(-1)
        started = time.perf_counter()
        with workplace.warehouse.read() as connection:
            evaluate_active(connection, workplace.athena.feature_set, as_of=night.as_of, cutoff=night.cutoff)
            parts["features"] = time.perf_counter() - started
            ((lines,),) = connection.execute("SELECT count(*) FROM raw.order_lines_history").fetchall()
    return parts, int(lines)


def _floor_seconds(orders: Path) -> float:
    bare = BARE.read_text(encoding="utf-8")
    features = (BARE.parent / "bare_features.sql").read_text(encoding="utf-8")
    night = Night.parse(FIRST_NIGHT).plus(-1)
    started = time.perf_counter()
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute("CREATE SCHEMA orders")
        connection.execute(f"CREATE TABLE orders.all_orders AS {bare}", {"file": str(orders), "before": night.as_of})
        connection.sql(features, params={"as_of": night.as_of, "cutoff": night.cutoff}).to_arrow_table()
    return time.perf_counter() - started
