"""The compiled features of the orders table against hand-written SQL (the floor) and vectorised pandas (the peer).

Each way begins with one Parquet file of orders, so loading counts. The three must agree before their times mean
anything; the run stops where they do not.
"""

import tempfile
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
    with (
        tempfile.TemporaryDirectory(prefix="athena-bench-") as scratch,
        duckdb.connect(config={"threads": THREADS}) as connection,
    ):
        file = Path(scratch) / "orders.parquet"
        generated = (SQL / "generated_orders.sql").read_text(encoding="utf-8")
        connection.execute(f"CREATE TABLE generated AS {generated}", {"customers": customers})
        ((orders,),) = connection.execute("SELECT count(*) FROM generated").fetchall()
        connection.execute(f"COPY generated TO '{file}' (FORMAT parquet)")
        connection.execute("DROP TABLE generated")
        connection.execute("CREATE SCHEMA orders")
        variants = _variants(connection, file, feature_set, cutoff)
        _refuse_differing({name: work() for name, work in variants.items()}, names)
        timings = alternate(variants, rounds, warm_up=False)
        size = file.stat().st_size
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
            f"Median of {rounds}, each from a Parquet file of {size // 2**20:,} MiB; DuckDB ({THREADS} threads)"
            " loads it into a table, pandas into a frame of float money and categories. All three give the same values"
            f" (relative difference at most {TOLERANCE:g}).",
        ),
    )


def _variants(
    connection: duckdb.DuckDBPyConnection, file: Path, feature_set: FeatureSet, cutoff: datetime
) -> dict[str, Callable[[], "pa.Table | pd.DataFrame"]]:
    bare = (SQL / "bare_features.sql").read_text(encoding="utf-8")
    times = {"as_of": AS_OF, "cutoff": cutoff}

    def load() -> None:
        connection.execute(f"CREATE OR REPLACE TABLE orders.all_orders AS FROM read_parquet('{file}')")

    def floor() -> "pa.Table":
        load()
        return connection.sql(bare, params=times).to_arrow_table()

    def athena() -> "pa.Table":
        load()
        return evaluate_active(connection, feature_set, as_of=AS_OF, cutoff=cutoff)

    return {
        "hand-written SQL (floor)": floor,
        "Athena's compiled features": athena,
        "vectorised pandas (peer)": lambda: features_in_pandas(_frame(file), AS_OF, cutoff),
    }


def _frame(file: Path) -> "pd.DataFrame":
    """The orders as pandas likes them best: float money, categories for text."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(file)
    money = table.column_names.index("total_order_amount")
    table = table.set_column(money, "total_order_amount", table.column(money).cast(pa.float64()))
    return table.to_pandas(categories=["customer_id", "channel", "country"], split_blocks=True, self_destruct=True)


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
