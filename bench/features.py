"""The compiled features of the orders table against hand-written SQL (the floor) and vectorised pandas (the peer).

The three must agree before their times mean anything; the run stops where they do not.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np

from athena_assets.features.evaluate import evaluate_active
from athena_assets.features.feature_set import FeatureSet, load_feature_set
from athena_assets.nights import Night
from bench.features_pandas import features_in_pandas
from bench.table import Table, ratio, seconds
from bench.timing import alternate

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

SQL = Path(__file__).parent / "sql"
AS_OF = datetime(2026, 11, 1)
THREADS = 2
TOLERANCE = 1e-9
"""Largest relative difference: the floor and the peer add floating-point money in an order of their own."""


def measure(customers: int, rounds: int) -> Table:
    """Features of `customers` generated customers by the three ways, in turn."""
    cutoff = Night.of_as_of(AS_OF).cutoff
    everything = load_feature_set(["orders"], business_country=None)
    names = [feature.name for feature in everything.features if feature.table == "orders"]
    feature_set = everything.select(names)
    with duckdb.connect(config={"threads": THREADS}) as connection:
        connection.execute("CREATE SCHEMA orders")
        generated = (SQL / "generated_orders.sql").read_text(encoding="utf-8")
        connection.execute(f"CREATE TABLE orders.all_orders AS {generated}", {"customers": customers})
        ((orders,),) = connection.execute("SELECT count(*) FROM orders.all_orders").fetchall()
        variants = _variants(connection, feature_set, cutoff)
        _refuse_differing({name: work() for name, work in variants.items()}, names)
        timings = alternate(variants, rounds, warm_up=False)
    floor, *_ = timings.values()
    return Table(
        f"{len(names)} features of {customers:,} customers, {orders:,} orders",
        ("way", "wall s", "range", "CPU s", "wall / floor", "CPU / floor"),
        tuple(
            (
                name,
                seconds(timing.median),
                timing.spread,
                seconds(timing.median_cpu),
                ratio(timing.median, floor.median),
                ratio(timing.median_cpu, floor.median_cpu),
            )
            for name, timing in timings.items()
        ),
        (
            f"Median of {rounds}; DuckDB with {THREADS} threads, pandas on a frame that is in memory already. All three"
            f" give the same values (relative difference at most {TOLERANCE:g}).",
        ),
    )


def _variants(
    connection: duckdb.DuckDBPyConnection, feature_set: FeatureSet, cutoff: datetime
) -> dict[str, Callable[[], "pa.Table | pd.DataFrame"]]:
    bare = (SQL / "bare_features.sql").read_text(encoding="utf-8")
    frame = _frame(connection)
    times = {"as_of": AS_OF, "cutoff": cutoff}
    return {
        "hand-written SQL (floor)": lambda: connection.sql(bare, params=times).to_arrow_table(),
        "Athena's compiled features": lambda: evaluate_active(connection, feature_set, as_of=AS_OF, cutoff=cutoff),
        "vectorised pandas (peer)": lambda: features_in_pandas(frame, AS_OF, cutoff),
    }


def _frame(connection: duckdb.DuckDBPyConnection) -> "pd.DataFrame":
    """The orders as pandas likes them best: float money, categories for text."""
    table = connection.sql(
        "SELECT * REPLACE (CAST(total_order_amount AS DOUBLE) AS total_order_amount) FROM orders.all_orders"
    ).to_arrow_table()
    frame = table.to_pandas()
    return frame.astype(dict.fromkeys(("customer_id", "channel", "country"), "category"))


def _refuse_differing(found: Mapping[str, "pa.Table | pd.DataFrame"], names: list[str]) -> None:
    """Stop the benchmark unless every way gives the same customers and the same values."""
    frames = {way: _by_customer(result) for way, result in found.items()}
    (first, expected), *others = frames.items()
    for way, frame in others:
        if not expected.index.equals(frame.index):
            raise SystemExit(f"{first} and {way} do not have the same customers")
        for name in names:
            left, right = (each[name].to_numpy(dtype=np.float64, na_value=np.nan) for each in (expected, frame))
            if not np.allclose(left, right, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
                raise SystemExit(f"{first} and {way} do not agree on {name}: their times mean nothing")


def _by_customer(result: "pa.Table | pd.DataFrame") -> "pd.DataFrame":
    import pandas as pd

    frame: Any = result if isinstance(result, pd.DataFrame) else result.to_pandas().set_index("customer_id")
    return frame.set_axis(frame.index.astype(str)).sort_index()
