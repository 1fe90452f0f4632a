"""A training on a part of the customers: how many, which, and with the same values as among all."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest

from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.dataset import Dataset
from athena_assets.lifecycle.model_spec import ModelSpec, find_model
from athena_assets.lifecycle.training_set import NotEnoughRows, TrainingRows, model_features, training_rows
from tests.unit.feature_warehouse import connect, feature_set

CUSTOMERS = 600
FIRST = datetime(2024, 1, 1)
DAYS = [FIRST + timedelta(days=200), FIRST + timedelta(days=245), FIRST + timedelta(days=290)]
LATE = FIRST + timedelta(days=400)


@pytest.fixture(scope="module")
def features() -> FeatureSet:
    """Every feature, as the model lists them."""
    return model_features(find_model("churn"), feature_set())


@pytest.fixture(scope="module")
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """Six hundred customers who order a few times each in a year."""
    with connect() as connection:
        connection.execute(
            "INSERT INTO orders.orders BY NAME SELECT CAST(ts AS DATE) AS night, 'O-' || n AS order_id,"
            " 'C-' || (n * 7919 % $customers) AS customer_id, ts AS order_ts, ts + INTERVAL 6 HOUR AS known_at,"
            " CAST(5 + n % 97 AS DECIMAL(18,4)) AS total_order_amount, 1 + n % 5 AS item_count, 1 AS line_count,"
            " n % 29 = 0 AS is_return, 'web' AS channel, 'United Kingdom' AS country, false AS is_correction"
            " FROM (SELECT range AS n, CAST($first AS TIMESTAMP) + to_minutes(range * 211 % 576000) AS ts"
            " FROM range(4000))",
            {"customers": CUSTOMERS, "first": FIRST},
        )
        yield connection


def spec_with(maximum_rows: int) -> ModelSpec:
    """The churn model with another limit."""
    spec = find_model("churn")
    return spec.model_copy(update={"snapshots": spec.snapshots.model_copy(update={"maximum_rows": maximum_rows})})


def chosen(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet, maximum_rows: int
) -> tuple[TrainingRows, pa.Table]:
    """The rows of a training with this limit."""
    rows = training_rows(connection, spec_with(maximum_rows), features, DAYS, label_cutoff=LATE)
    tables = [connection.sql(each.sql, params=each.parameters).to_arrow_table() for each in rows.selects]
    return rows, pa.concat_tables(tables).sort_by([("as_of", "ascending"), ("customer_id", "ascending")])


def bucket(customer: str) -> int:
    """The place of a customer in the order of choice: the last two of the first eight bytes of the MD5."""
    return int.from_bytes(hashlib.md5(customer.encode(), usedforsecurity=False).digest()[6:8], "little")


def test_training_when_all_rows_fit_then_nobody_is_left_out(
    warehouse: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    rows, table = chosen(warehouse, features, 100_000)
    assert rows.rows == rows.population_rows == table.num_rows > 1_000
    exactly, same = chosen(warehouse, features, rows.rows)
    assert exactly.rows == rows.rows
    assert same.equals(table)


@pytest.mark.parametrize("limit", [5, 100, 731])
def test_training_when_rows_are_limited_then_the_customers_with_the_lowest_hashes_with_all_their_snapshots(
    warehouse: duckdb.DuckDBPyConnection, features: FeatureSet, limit: int
) -> None:
    _, everybody = chosen(warehouse, features, 100_000)
    rows, table = chosen(warehouse, features, limit)
    per_customer = Counter(everybody.column("customer_id").to_pylist())
    expected: set[str] = set()
    taken = 0
    for each in range(65_536):
        together = [name for name in per_customer if bucket(name) == each]
        taken += sum(per_customer[name] for name in together)
        if taken > limit:
            break
        expected.update(together)
    assert set(table.column("customer_id").to_pylist()) == expected
    assert rows.rows == table.num_rows <= limit
    assert rows.population_rows == everybody.num_rows
    # Whole rows: labels and features, scanned for these customers alone, are those among all customers.
    keep = pa.compute.is_in(everybody.column("customer_id"), pa.array(sorted(expected)))
    assert table.equals(everybody.filter(keep))


def test_training_when_not_one_customer_fits_then_refused_with_the_key(
    warehouse: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    with pytest.raises(NotEnoughRows, match=r"snapshots\.maximum_rows of churn leaves no customer"):
        chosen(warehouse, features, 1)


def test_dataset_when_thinned_then_whole_customers_as_many_as_fit_in_any_order(churn_data: Dataset) -> None:
    limit = 5_000
    thin = churn_data.thinned(limit)
    per_customer = Counter(churn_data.customer_id.tolist())
    by_hash = sorted(per_customer, key=lambda name: hashlib.sha256(name.encode()).digest()[:8])
    assert limit - max(per_customer.values()) < len(thin) <= limit
    kept = set(thin.customer_id.tolist())
    assert kept == set(by_hash[: len(kept)])
    assert Counter(thin.customer_id.tolist()) == {name: per_customer[name] for name in kept}
    rows = np.isin(churn_data.customer_id, sorted(kept))
    assert np.array_equal(thin.matrix, churn_data.matrix[rows], equal_nan=True)
    assert churn_data.thinned(len(churn_data)) is churn_data
    assert len(set(churn_data.thinned(1).customer_id.tolist())) == 1
