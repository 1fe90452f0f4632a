"""Runs a feature set's text: for a model's population, or for a few customers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from athena_assets.errors import AthenaError
from athena_assets.features.feature_set import GIVEN_CUSTOMERS, FeatureSet
from athena_assets.sql import parameters_used

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa


class UnknownCustomer(AthenaError):
    """The customer appears in no order that was known at the cutoff."""


def evaluate(
    connection: "duckdb.DuckDBPyConnection",
    feature_set: FeatureSet,
    population_sql: str,
    *,
    as_of: datetime,
    cutoff: datetime,
    population_parameters: Mapping[str, object] | None = None,
    restrict: bool = False,
) -> "pa.Table":
    """An Arrow table of `customer_id`, `as_of` and one column per feature, ordered by customer.

    population_parameters: what the population's own SQL needs beside `$as_of` and `$cutoff`.
    """
    parameters = {**feature_set.parameters(as_of, cutoff), **(population_parameters or {})}
    text = feature_set.sql(population_sql, restrict=restrict)
    return connection.sql(text, params=parameters_used(text, parameters)).to_arrow_table()


def evaluate_active(
    connection: "duckdb.DuckDBPyConnection", feature_set: FeatureSet, *, as_of: datetime, cutoff: datetime
) -> "pa.Table":
    """The same for the active customers of a night, with one scan for population and features."""
    text = feature_set.night_sql()
    return connection.sql(text, params=parameters_used(text, feature_set.parameters(as_of, cutoff))).to_arrow_table()


def evaluate_customers(
    connection: "duckdb.DuckDBPyConnection",
    feature_set: FeatureSet,
    customers: Sequence[str],
    *,
    as_of: datetime,
    cutoff: datetime,
) -> "pa.Table":
    """The same values for a few customers, whether or not they are active; raises `UnknownCustomer`."""
    known = connection.execute(
        f"SELECT DISTINCT customer_id FROM ({feature_set.rows_of('orders')}) "
        "WHERE customer_id IN (SELECT unnest(CAST($customers AS VARCHAR[])))",
        {"customers": list(customers), "as_of": as_of, "cutoff": cutoff},
    ).fetchall()
    missing = sorted(set(customers) - {row[0] for row in known})
    if missing:
        raise UnknownCustomer(
            f"customer {missing[0]} has no order before {as_of:%Y-%m-%d}",
            expected="a customer with at least one order known by then",
            found="none",
            next_command="check the id and the date; the published predictions list the active customers",
        )
    return evaluate(
        connection,
        feature_set,
        GIVEN_CUSTOMERS,
        as_of=as_of,
        cutoff=cutoff,
        population_parameters={"customers": sorted(set(customers))},
        restrict=True,
    )
