"""DuckDB, pandas and polars read a published night to the value, by the queries that docs/published.md shows."""

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from athena_assets.lifecycle.model_spec import load_model_spec
from athena_assets.nights import Night
from athena_assets.predictions.prediction_contract import published_contract
from athena_assets.predictions.publish import LATEST, NIGHT_FILE, publish_night

REPOSITORY = Path(__file__).parents[2]
SPEC = load_model_spec(REPOSITORY / "athena_assets" / "models" / "churn")
CONTRACT = published_contract(SPEC)
EARLIER, NIGHT = Night(date(2026, 10, 30)), Night(date(2026, 10, 31))
CUSTOMERS = 250_000
"""More than two row groups of the layout."""
CUSTOMER = "C-00003106"
"""Whom the page asks for."""
READERS = ("duckdb", "pandas", "polars")
ODD_ROWS: list[tuple[Any, ...]] = [
    ("C-1", 0.0, "low", Decimal("0.00"), None, None, None),
    ("C-10", 1.0, "high", Decimal("9999999999999999.99"), "", 'it\'s "quoted"', "two\nlines"),
    ("C-2", 0.1 + 0.2, "low", Decimal("0.10"), "größer als 100 €", "顧客", "🙂"),
    ("Ç-3", 5e-324, "low", Decimal("1234567890123456.78"), "no further reason", "no further reason", None),
    ("ünbekannt", 0.123457, "medium", Decimal("90071992547409.93"), "NULL", "nan", "None"),
]
"""Customer, probability, tier, value at risk and reasons that a careless type would change, sorted by customer."""


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute("CREATE SCHEMA predictions")
        connection.execute(CONTRACT.ddl())
        yield connection


@pytest.fixture
def many(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """A night of many customers in no order, many of whom have the same value at risk, and an earlier one of a few."""
    connection.execute(
        f"""INSERT INTO {CONTRACT.address} BY NAME
        WITH customers AS (
            SELECT n, night, 'C-' || lpad(CAST(n AS VARCHAR), 8, '0') AS customer_id,
                CAST(hash(n, 'risk') % 1000 AS BIGINT) / 1000 AS churn_probability,
                CAST(CAST(hash(n, 'worth') % 30000 AS BIGINT) AS DECIMAL(18, 2)) AS expected_value_at_risk
            FROM (VALUES (DATE '{EARLIER.key}', 5000), (DATE '{NIGHT.key}', {CUSTOMERS})) nights(night, customers),
                LATERAL range(customers) AS numbers(n)
        )
        SELECT * EXCLUDE (n, place), CAST(night AS TIMESTAMP) + INTERVAL 1 DAY AS as_of, 'low' AS risk_tier,
            CASE WHEN place <= {SPEC.reasons.top_k} THEN format('reason {{}}', n) END AS reason_1,
            '7' AS model_version, 'f' AS feature_set_version
        FROM (
            SELECT *, row_number() OVER (
                PARTITION BY night ORDER BY expected_value_at_risk DESC, churn_probability DESC, customer_id
            ) AS place
            FROM customers
        )
        ORDER BY hash(customer_id)"""
    )
    return connection


@pytest.mark.parametrize("reader", READERS)
def test_published_night_when_read_then_every_value_and_type_is_the_warehouse_s(
    reader: str, connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for night in (EARLIER, NIGHT):
        connection.executemany(
            f"INSERT INTO {CONTRACT.address} BY NAME SELECT DATE '{night.key}' AS night, $1 AS customer_id,"
            f" TIMESTAMP '{night.as_of}' AS as_of, $2 AS churn_probability, $3 AS risk_tier,"
            " $4 AS expected_value_at_risk, $5 AS reason_1, $6 AS reason_2, $7 AS reason_3, '7' AS model_version,"
            " 'f' AS feature_set_version",
            ODD_ROWS[::-1],
        )
        publish_night(connection, CONTRACT.address, night, tmp_path)
    expected = [
        (customer, NIGHT.as_of, probability, tier, value, *reasons, "7", "f", NIGHT.day)
        for customer, probability, tier, value, *reasons in ODD_ROWS
    ]
    found = rows_of(asked(reader, "An earlier night", tmp_path))
    assert found == expected
    assert [[type(value) for value in row] for row in found] == [[type(value) for value in row] for row in expected]


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("query", "meant"),
    [
        ("One customer", f"WHERE night = '{NIGHT.key}' AND customer_id = '{CUSTOMER}'"),
        (
            "The thousand with the most value at risk",
            f"WHERE night = '{NIGHT.key}' ORDER BY expected_value_at_risk DESC, churn_probability DESC, customer_id"
            " LIMIT 1000",
        ),
    ],
)
def test_page_of_published_predictions_when_its_query_is_run_then_the_warehouse_says_the_same(
    query: str, meant: str, reader: str, many: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    for night in (EARLIER, NIGHT):
        publish_night(many, CONTRACT.address, night, tmp_path)
    found = asked(reader, query, tmp_path)
    expected = many.execute(f"SELECT {', '.join(found.columns)} FROM {CONTRACT.address} {meant}").fetchall()
    assert rows_of(found) == expected


def test_published_night_when_one_customer_is_asked_for_then_the_statistics_leave_one_row_group(
    many: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    publish_night(many, CONTRACT.address, NIGHT, tmp_path)
    file = pq.ParquetFile(tmp_path / LATEST)
    groups = [file.metadata.row_group(number) for number in range(file.metadata.num_row_groups)]
    position = file.schema_arrow.get_field_index("customer_id")
    bounds = [(group.column(position).statistics.min, group.column(position).statistics.max) for group in groups]
    assert len(bounds) == 3
    assert all(least <= most for least, most in bounds)
    assert all(most < least for (_, most), (least, _) in pairwise(bounds))
    (fragment,) = ds.dataset(tmp_path / LATEST).get_fragments()
    for customer in (CUSTOMER, bounds[1][0], bounds[1][1], "C-00249999"):
        assert fragment.subset(pc.field("customer_id") == customer).num_row_groups == 1


def test_publish_night_when_the_number_of_threads_differs_then_row_groups_have_the_same_bytes(
    many: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    files = set()
    for threads in (1, 2, 4):
        many.execute(f"SET threads = {threads}")
        publish_night(many, CONTRACT.address, NIGHT, tmp_path / str(threads))
        files.add((tmp_path / str(threads) / f"night={NIGHT.key}" / NIGHT_FILE).read_bytes())
    assert len(files) == 1


@pytest.mark.parametrize("misplaced", [None, 0, CUSTOMERS // 2, CUSTOMERS - 1])
def test_publish_night_when_rows_stand_in_order_but_for_one_then_the_bytes_of_rows_in_no_order(
    many: duckdb.DuckDBPyConnection, tmp_path: Path, misplaced: int | None
) -> None:
    publish_night(many, CONTRACT.address, NIGHT, tmp_path / "shuffled")
    many.execute(f"CREATE TEMP TABLE rows AS FROM {CONTRACT.address}")
    many.execute(f"DELETE FROM {CONTRACT.address}")
    # Pieces of many sizes with rows between them that are of another night, or gone.
    bounds = [0, 1, 5_000, 130_001, 130_003, 200_000, CUSTOMERS]
    for low, high in pairwise(bounds):
        wanted = f"night = '{NIGHT.key}' AND customer_id >= 'C-{low:08d}' AND customer_id < 'C-{high:08d}'"
        for rows in (f"night = '{EARLIER.key}'", wanted, wanted):
            many.execute(f"INSERT INTO {CONTRACT.address} SELECT * FROM rows WHERE {rows} ORDER BY customer_id")
        ((last,),) = many.execute(f"SELECT max(rowid) FROM {CONTRACT.address}").fetchall()
        many.execute(f"DELETE FROM {CONTRACT.address} WHERE rowid > {last - (high - low)}")
    if misplaced is not None:
        one = f"night = '{NIGHT.key}' AND customer_id = 'C-{(misplaced + 1) % CUSTOMERS:08d}'"
        many.execute(f"DELETE FROM {CONTRACT.address} WHERE {one}")
        many.execute(f"INSERT INTO {CONTRACT.address} SELECT * FROM rows WHERE {one}")
    for threads in (1, 2, 4):
        many.execute(f"SET threads = {threads}")
        publish_night(many, CONTRACT.address, NIGHT, tmp_path / str(threads))
    files = {(tmp_path / side / LATEST).read_bytes() for side in ("shuffled", "1", "2", "4")}
    assert len(files) == 1


def asked(reader: str, query: str, folder: Path) -> Any:
    """What the block of `reader` below the page's heading `query` finds in `folder`: a relation or a frame."""
    page = (REPOSITORY / "docs" / "published.md").read_text(encoding="utf-8")
    (section,) = re.findall(rf"^## {query}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
    sql, *scripts = re.findall(r"^```\w+\n(.*?)^```", section, re.M | re.S)
    texts = {"duckdb": sql, **{name: text for text in scripts for name in READERS[1:] if f"import {name}" in text}}
    text = texts[reader].replace(".athena/published/predictions/churn", str(folder))
    if reader == "duckdb":
        return duckdb.connect().sql(text)
    names: dict[str, Any] = {}
    exec(text, names)
    return names["found"]


def rows_of(found: Any) -> list[tuple[Any, ...]]:
    """The rows as Python values, as DuckDB gives them; None for pandas' nulls. Raises on a type that holds less."""
    if isinstance(found, duckdb.DuckDBPyRelation):
        return found.fetchall()
    if isinstance(found, pl.DataFrame):
        return found.rows()
    assert isinstance(found, pd.DataFrame)
    columns = [[None if value is pd.NA or value != value else value for value in found[name]] for name in found]
    rows = list(zip(*columns, strict=True))
    return [tuple(map(_python_value, row)) for row in rows]


def _python_value(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        assert value.nanosecond == 0
        return value.to_pydatetime()
    assert value is None or isinstance(value, str | float | int | Decimal | date | datetime)
    return value
