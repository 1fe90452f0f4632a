"""One value on three paths: what the night wrote, what training reads of that day later, what a look-up answers."""

import struct
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athena_assets.features.evaluate import evaluate_customers
from athena_assets.features.feature_contract import feature_columns, feature_contract
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import find_model
from athena_assets.lifecycle.training_set import model_features, training_rows
from athena_assets.nights import Night
from checks.contract_files import load_contract
from tests.unit.feature_histories import MIDNIGHTS, PATIENT, retailers
from tests.unit.feature_oracle import active
from tests.unit.feature_warehouse import Situation, connect, feature_set, fill

NIGHT_TABLE = "features.customer_features"
TRAINING_TABLE = "churn.training_set"


@st.composite
def nights(draw: st.DrawFn) -> Situation:
    """A retailer as a night sees it."""
    night = Night.of_as_of(draw(MIDNIGHTS))
    return Situation(draw(retailers(night.as_of, night.cutoff)), night.as_of, night.cutoff)


@pytest.fixture(scope="module")
def features() -> FeatureSet:
    """Every feature, as the model lists them."""
    return model_features(find_model("churn"), feature_set())


@pytest.fixture(scope="module")
def warehouse(features: FeatureSet) -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse with the two tables that hold features, as their contracts declare them."""
    with connect() as connection:
        training = load_contract("model.training_set").named("churn", "training_set")
        for contract in (feature_contract(features), training.with_columns(feature_columns(features))):
            connection.execute(f"CREATE SCHEMA {contract.schema}")
            connection.execute(contract.ddl())
        yield connection


def by_night(connection: duckdb.DuckDBPyConnection, features: FeatureSet, situation: Situation) -> pa.Table:
    """What the night writes, which has seen nothing that became known after it."""
    fill(connection, situation.retailer, known_until=situation.cutoff)
    connection.execute(f"DELETE FROM {NIGHT_TABLE}")
    connection.execute(
        f"INSERT INTO {NIGHT_TABLE} BY NAME SELECT $night AS night, * FROM ({features.night_sql()})",
        {**features.parameters(situation.as_of, situation.cutoff), "night": Night.of_as_of(situation.as_of).day},
    )
    return stored(connection, features, NIGHT_TABLE)


def by_training(connection: duckdb.DuckDBPyConnection, features: FeatureSet, situation: Situation) -> pa.Table:
    """What a training months later writes of the same day, when everything has been delivered."""
    fill(connection, situation.retailer)
    months_later = situation.as_of + timedelta(days=120)
    (select,) = training_rows(
        connection, find_model("churn"), features, [situation.as_of], label_cutoff=months_later
    ).selects
    connection.execute(f"DELETE FROM {TRAINING_TABLE}")
    connection.execute(
        f"INSERT INTO {TRAINING_TABLE} BY NAME SELECT $month AS month, * FROM ({select.sql})",
        {**select.parameters, "month": date(2012, 1, 1)},
    )
    return stored(connection, features, TRAINING_TABLE)


def stored(connection: duckdb.DuckDBPyConnection, features: FeatureSet, table: str) -> pa.Table:
    """The customers and features of a table."""
    columns = ", ".join(("customer_id", "as_of", *features.columns))
    return connection.sql(f"SELECT {columns} FROM {table} ORDER BY customer_id").to_arrow_table()


def bits(table: pa.Table) -> list[dict[str, Any]]:
    """The rows with every DOUBLE as its eight bytes: no tolerance, and -0.0 is not 0.0."""
    return [
        {name: struct.pack(">d", value) if isinstance(value, float) else value for name, value in row.items()}
        for row in table.to_pylist()
    ]


@settings(max_examples=40, **PATIENT)
@given(situation=nights())
def test_value_when_computed_by_night_for_training_and_for_one_customer_then_it_is_the_same_to_the_bit(
    warehouse: duckdb.DuckDBPyConnection, features: FeatureSet, situation: Situation
) -> None:
    night = by_night(warehouse, features, situation)
    training = by_training(warehouse, features, situation)
    assert training.schema == night.schema
    assert bits(training) == bits(night)
    names = night.column("customer_id").to_pylist()
    assert names == active(situation.seen())
    times = {"as_of": situation.as_of, "cutoff": situation.cutoff}
    for asked in ([name] for name in names[:2]):
        one = evaluate_customers(warehouse, features, asked, **times)
        assert one.schema == night.schema
        assert bits(one) == [row for row in bits(night) if row["customer_id"] == asked[0]]


@settings(max_examples=25, **PATIENT)
@given(situation=nights())
def test_look_up_when_customers_have_not_bought_for_a_year_then_they_have_the_values_of_the_full_scan(
    warehouse: duckdb.DuckDBPyConnection, features: FeatureSet, situation: Situation
) -> None:
    fill(warehouse, situation.retailer)
    known = [name for name, customer in situation.seen().items() if customer.orders]
    table = evaluate_customers(warehouse, features, known, as_of=situation.as_of, cutoff=situation.cutoff)
    scanned = situation.evaluate(warehouse, features)
    assert table.to_pylist() == [scanned[name] for name in known]
