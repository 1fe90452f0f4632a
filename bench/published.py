"""The queries of docs/published.md, as they stand there, on one published night of a generated retailer.

The floor is DuckDB, also in a fresh connection, adding up one column of the same file. The readers must find the same
customers in the same order before their times mean anything; the run stops where they do not.
"""

import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import duckdb

from athena_assets.lifecycle.model_spec import load_model_spec
from athena_assets.nights import Night
from athena_assets.predictions.prediction_contract import published_contract
from athena_assets.predictions.publish import LATEST, publish_night
from bench.table import Table, mebibytes, milliseconds, ratio, seconds
from bench.timing import alternate

REPOSITORY = Path(__file__).parents[1]
PAGE = REPOSITORY / "docs" / "published.md"
SQL = REPOSITORY / "bench" / "sql" / "generated_predictions.sql"
QUERIES = ("One customer", "The thousand with the most value at risk")
NIGHT = Night(date(2026, 10, 31))
THREADS = 2
FLOOR = "DuckDB, the sum of one column (floor)"
SAID = ("C-00003106", ".athena/published/predictions/churn/latest.parquet")
"""Customer and file as the page names them."""


def measure(customers: int, rounds: int) -> Table:
    """Each query by each reader, in turn, on a night of `customers` customers that `publish_night` wrote."""
    spec = load_model_spec(REPOSITORY / "athena_assets" / "models" / "churn")
    contract = published_contract(spec)
    with tempfile.TemporaryDirectory(prefix="athena-bench-") as name, _warehouse() as connection:
        folder = Path(name)
        connection.execute("CREATE SCHEMA predictions")
        connection.execute(contract.ddl())
        connection.execute(
            f"INSERT INTO {contract.address} BY NAME {SQL.read_text(encoding='utf-8')}",
            {"customers": customers, "night": NIGHT.day, "explained": spec.reasons.top_k},
        )
        (written,) = alternate(
            {"": lambda: publish_night(connection, contract.address, NIGHT, folder)}, rounds
        ).values()
        latest = folder / LATEST
        variants = {FLOOR: _in_duckdb(f"SELECT sum(expected_value_at_risk) FROM '{latest}'")}
        for query in QUERIES:
            ways = dict(_ways(query, latest, f"C-{customers // 2:08d}"))
            _refuse_differing(query, ways)
            variants |= {f"{reader}, {query[0].lower()}{query[1:]}": way for reader, way in ways.items()}
        timings = alternate(variants, rounds)
        size = latest.stat().st_size
    floor = timings[FLOOR].median
    return Table(
        f"Queries of a published night of {customers:,} customers",
        ("reader and query", "ms", "range", "CPU ms", "wall / floor"),
        tuple(
            (
                name,
                milliseconds(timing.median),
                f"{milliseconds(min(timing.wall))}-{milliseconds(max(timing.wall))}",
                milliseconds(timing.median_cpu),
                ratio(timing.median, floor),
            )
            for name, timing in timings.items()
        ),
        (
            f"Median of {rounds} after a first one; DuckDB with {THREADS} threads, connecting is in its figures."
            f" {mebibytes(size)} MiB, published in {seconds(written.median)} s ({written.spread}),"
            f" {seconds(written.median_cpu)} CPU s.",
        ),
    )


def _warehouse() -> duckdb.DuckDBPyConnection:
    return duckdb.connect(config={"threads": THREADS})


def _ways(query: str, latest: Path, customer: str) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Reader and work of each block below the page's heading `query`."""
    (section,) = re.findall(rf"^## {query}\n(.*?)(?=^## )", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    for language, text in re.findall(r"^```(\w+)\n(.*?)^```", section, re.M | re.S):
        for said, meant in zip(SAID, (customer, str(latest)), strict=True):
            text = text.replace(said, meant)
        if language == "sql":
            yield "DuckDB", _in_duckdb(text)
        else:
            yield "pandas" if "import pandas" in text else "polars", _in_python(text)


def _in_duckdb(text: str) -> Callable[[], Any]:
    def work() -> Any:
        with _warehouse() as connection:
            return connection.sql(text).to_arrow_table()

    return work


def _in_python(text: str) -> Callable[[], Any]:
    code = compile(text, str(PAGE), "exec")

    def work() -> Any:
        names: dict[str, Any] = {}
        exec(code, names)
        return names["found"]

    return work


def _refuse_differing(query: str, ways: Mapping[str, Callable[[], Any]]) -> None:
    """Stop the benchmark unless every reader finds the same customers in the same order, and some."""
    found = {reader: [str(customer) for customer in way()["customer_id"]] for reader, way in ways.items()}
    (first, expected), *others = found.items()
    for reader, customers in others:
        if not expected or customers != expected:
            raise SystemExit(f"{query}: {first} and {reader} do not find the same customers: their times mean nothing")
