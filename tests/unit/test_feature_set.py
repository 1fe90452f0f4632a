"""What a feature set promises: nothing from the future, one text for many and for one, the same bytes every time."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from athena_assets.errors import InvalidArgument
from athena_assets.features.evaluate import UnknownCustomer, evaluate_active, evaluate_customers
from athena_assets.features.feature_set import (
    FeatureSet,
    UnavailableFeature,
    UnknownFeature,
    load_feature_set,
)

AS_OF = datetime(2011, 1, 15)
CUTOFF = datetime(2011, 1, 15, 2)
TABLES = ("orders", "service_contacts", "campaign_contacts", "customers")
# Seeded by hash of the row number: the same rows in every process.
ROWS = """
CREATE SCHEMA orders;
CREATE TABLE orders.all_orders AS
SELECT 'O-' || i AS order_id, CASE WHEN hash(i) % 20 > 0 THEN 'C-' || hash(i) % 500 END AS customer_id,
    TIMESTAMP '2009-06-01' + INTERVAL 1 MINUTE * CAST(hash(i + 1) % 850000 AS BIGINT) AS order_ts,
    order_ts + INTERVAL 1 DAY AS known_at, hash(i + 2) % 9 = 0 AS is_return,
    CAST(CAST(hash(i + 3) % 1000000 AS BIGINT) * if(is_return, -1, 1) * 0.01 AS DECIMAL(18, 4)) AS total_order_amount,
    CAST(hash(i + 4) % 90 AS BIGINT) * if(is_return, -1, 1) AS item_count,
    ['web', 'app', 'store', NULL][CAST(1 + hash(i + 5) % 4 AS INTEGER)] AS channel,
    false AS is_correction
FROM range(20000) t(i);
CREATE TABLE orders.all_service_contacts AS
SELECT 'S-' || i AS contact_id, 'C-' || hash(i) % 500 AS customer_id,
    TIMESTAMP '2009-06-01' + INTERVAL 1 MINUTE * CAST(hash(i + 1) % 850000 AS BIGINT) AS contact_ts,
    contact_ts + INTERVAL 1 DAY AS known_at, hash(i + 2) % 3 > 0 AS is_resolved,
    ['delivery', 'quality', 'billing', 'question'][CAST(1 + hash(i + 5) % 4 AS INTEGER)] AS topic
FROM range(3000) t(i);
CREATE TABLE orders.all_campaign_contacts AS
SELECT 'M-' || i AS contact_id, 'C-' || hash(i) % 500 AS customer_id,
    TIMESTAMP '2009-06-01' + INTERVAL 1 MINUTE * CAST(hash(i + 1) % 850000 AS BIGINT) AS contact_ts,
    contact_ts + INTERVAL 14 DAY AS known_at, hash(i + 2) % 3 = 0 AS response,
    if(hash(i + 3) % 5 = 0, 'holdout', 'treatment') AS arm
FROM range(3000) t(i);
CREATE TABLE orders.all_customers AS
SELECT 'C-' || i AS customer_id, TIMESTAMP '2009-06-02' AS known_at, DATE '2009-06-01' AS registered_on,
    ['United Kingdom', 'France', NULL][CAST(1 + hash(i) % 3 AS INTEGER)] AS country
FROM range(500) t(i);
"""


@pytest.fixture(scope="module")
def features() -> FeatureSet:
    return load_feature_set(TABLES, business_country="United Kingdom")


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(ROWS)
        yield connection


def nightly(connection: duckdb.DuckDBPyConnection, features: FeatureSet) -> pa.Table:
    return evaluate_active(connection, features, as_of=AS_OF, cutoff=CUTOFF)


def add_order(connection: duckdb.DuckDBPyConnection, **changes: object) -> None:
    """One more order like an existing one of customer C-7, but for `changes`."""
    row = {"order_id": "'new'", **changes}
    replaced = ", ".join(f"{value} AS {name}" for name, value in row.items())
    connection.execute(
        f"INSERT INTO orders.all_orders BY NAME SELECT * REPLACE ({replaced}) FROM orders.all_orders "
        "WHERE customer_id = 'C-7' AND NOT is_return ORDER BY order_id LIMIT 1"
    )


def one(connection: duckdb.DuckDBPyConnection, features: FeatureSet, name: str, customer: str = "C-7") -> Any:
    table = evaluate_customers(connection, features, [customer], as_of=AS_OF, cutoff=CUTOFF)
    return table.column(name)[0].as_py()


def test_the_registry_holds_at_least_thirty_six_features_in_name_order(features: FeatureSet) -> None:
    assert len(features.columns) >= 36
    assert list(features.columns) == sorted(features.columns)
    assert features.unavailable == {}


def test_the_features_when_rows_of_the_future_or_not_yet_known_are_added_stay_the_same(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    before = nightly(connection, features)
    for table, ts in (("orders", "order_ts"), ("service_contacts", "contact_ts"), ("campaign_contacts", "contact_ts")):
        source = f"orders.all_{table}"
        future = f"SELECT * REPLACE (TIMESTAMP '{AS_OF}' + INTERVAL 1 MINUTE * (rowid % 9) AS {ts}, "
        future += f"TIMESTAMP '2010-01-01' AS known_at) FROM {source}"
        late = f"SELECT * REPLACE (TIMESTAMP '{CUTOFF}' + INTERVAL 1 MICROSECOND AS known_at) FROM {source}"
        connection.execute(f"CREATE TEMP TABLE more AS {future} UNION ALL {late}")
        connection.execute(f"INSERT INTO {source} SELECT * FROM more")
        connection.execute("DROP TABLE more")
    connection.execute(
        f"INSERT INTO orders.all_customers SELECT customer_id, TIMESTAMP '{CUTOFF}' + INTERVAL 1 SECOND, "
        "DATE '2001-01-01', 'Atlantis' FROM orders.all_customers"
    )
    assert nightly(connection, features).equals(before)


def test_the_features_when_a_past_known_order_is_added_change(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    before = nightly(connection, features)
    add_order(connection, order_ts=f"TIMESTAMP '{AS_OF - timedelta(days=1)}'", known_at=f"TIMESTAMP '{CUTOFF}'")
    assert not nightly(connection, features).equals(before)


def test_the_average_order_value_over_ninety_days_excludes_returns(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    yesterday = f"TIMESTAMP '{AS_OF - timedelta(days=1)}'"
    connection.execute("DELETE FROM orders.all_orders WHERE customer_id = 'C-7' AND order_ts >= '2010-10-01'")
    for number, amount, is_return in ((1, 30, False), (2, 50, False), (3, -25, True)):
        add_order(
            connection,
            order_id=f"'new-{number}'",
            order_ts=yesterday,
            known_at=yesterday,
            total_order_amount=f"CAST({amount} AS DECIMAL(18, 4))",
            is_return=str(is_return).lower(),
        )
    assert one(connection, features, "avg_order_value_90d") == 40.0


def test_one_customers_features_equal_the_row_of_the_nightly_table(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    bulk = {row["customer_id"]: row for row in nightly(connection, features).to_pylist()}
    for customer in ("C-7", "C-42", "C-499"):
        (row,) = evaluate_customers(connection, features, [customer], as_of=AS_OF, cutoff=CUTOFF).to_pylist()
        assert row == bulk[customer]


def test_the_features_have_the_same_bytes_whatever_the_threads_and_the_order_of_rows(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    def written() -> bytes:
        # Every bit of every value; what lies under a null in Arrow's buffers is nobody's.
        return repr(nightly(connection, features).to_pylist()).encode()

    first = written()
    connection.execute("SET threads = 1")
    assert written() == first
    connection.execute("CREATE OR REPLACE TABLE orders.all_orders AS FROM orders.all_orders ORDER BY hash(order_id)")
    connection.execute("SET threads = 2")
    assert written() == first


def test_the_values_have_the_declared_types_lie_within_bounds_and_obey_the_null_policy(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    connection.register("values", nightly(connection, features))
    for feature in features.features:
        low, high = feature.bounds
        (row,) = connection.execute(
            f"SELECT any_value(typeof({feature.name})), count(*) - count({feature.name}), "
            f"CAST(min({feature.name}) AS DOUBLE), CAST(max({feature.name}) AS DOUBLE) FROM values"
        ).fetchall()
        assert row[0] == feature.dtype
        assert row[1] == 0 or feature.nullable, feature.name
        assert low is None or row[2] >= low, feature.name
        assert high is None or row[3] <= high, feature.name
        assert row[2] < row[3] or feature.table == "context" or feature.name == "days_since_registration", feature.name


def test_a_corrected_order_counts_in_the_version_known_at_the_cutoff(connection: duckdb.DuckDBPyConnection) -> None:
    corrected = load_feature_set(["orders"], business_country=None, corrected=["orders"])
    before = one(connection, corrected, "orders_total")
    add_order(connection, order_ts="TIMESTAMP '2011-01-02'", known_at="TIMESTAMP '2011-01-03'")
    add_order(
        connection,
        order_ts="TIMESTAMP '2011-01-02'",
        known_at="TIMESTAMP '2011-01-10'",
        is_correction="true",
        total_order_amount="CAST(77 AS DECIMAL(18, 4))",
    )
    add_order(
        connection,
        order_ts="TIMESTAMP '2011-01-02'",
        known_at="TIMESTAMP '2011-02-01'",
        is_correction="true",
        total_order_amount="CAST(99 AS DECIMAL(18, 4))",
    )
    assert one(connection, corrected, "orders_total") == before + 1
    connection.execute(
        "DELETE FROM orders.all_orders WHERE customer_id = 'C-7' AND order_id <> 'new' AND order_ts > '2010-12-16'"
    )
    assert one(connection, corrected, "spend_30d") == 77


@pytest.mark.parametrize(("absent", "example"), [("service_contacts", "complaints_90d"), ("customers", "is_domestic")])
def test_features_when_their_table_is_absent_are_unavailable_and_said_so(absent: str, example: str) -> None:
    partial = load_feature_set([t for t in TABLES if t != absent], business_country="United Kingdom")
    assert example not in partial.columns
    assert absent in partial.unavailable[example]
    assert absent not in partial.night_sql()
    with pytest.raises(UnavailableFeature, match=rf"(?s){example} is unavailable.*{absent}"):
        partial.select([example])


def test_is_domestic_when_the_business_country_is_not_declared_is_unavailable() -> None:
    assert "business country" in load_feature_set(TABLES, business_country=None).unavailable["is_domestic"]


def test_a_selection_computes_only_its_columns_in_its_order(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    chosen = features.select(["spend_90d", "recency_over_mean_gap", "as_of_day_of_year"])
    table = nightly(connection, chosen)
    assert table.column_names == ["customer_id", "as_of", *chosen.columns]
    assert table.equals(nightly(connection, features).select(table.column_names))
    assert "service_contacts" not in chosen.night_sql()


@pytest.mark.parametrize("names", [["nonsense"], ["spend_90d", "nonsense"]])
def test_a_selection_of_an_unknown_feature_is_refused(features: FeatureSet, names: Sequence[str]) -> None:
    with pytest.raises(UnknownFeature, match="no feature nonsense"):
        features.select(names)


def test_the_version_changes_with_what_is_computed_and_with_nothing_else(features: FeatureSet) -> None:
    same = load_feature_set(TABLES, business_country="United Kingdom")
    assert features.version == same.version
    others = {
        load_feature_set(TABLES, business_country="France").version,
        load_feature_set(TABLES, business_country="United Kingdom", corrected=["orders"]).version,
        features.select(["spend_90d"]).version,
        features.select(["spend_30d"]).version,
    }
    assert len(others | {features.version}) == 5


@pytest.mark.parametrize(("as_of", "cutoff"), [(CUTOFF, CUTOFF), (AS_OF, AS_OF - timedelta(hours=1))])
def test_an_as_of_that_is_no_midnight_or_after_its_cutoff_is_refused(
    features: FeatureSet, as_of: datetime, cutoff: datetime
) -> None:
    with pytest.raises(InvalidArgument):
        features.parameters(as_of, cutoff)


def test_a_look_up_of_an_unknown_customer_is_an_error_that_names_it(
    connection: duckdb.DuckDBPyConnection, features: FeatureSet
) -> None:
    with pytest.raises(UnknownCustomer, match="C-12345"):
        evaluate_customers(connection, features, ["C-7", "C-12345"], as_of=AS_OF, cutoff=CUTOFF)


def test_lineage_reaches_the_columns_of_the_canonical_tables(features: FeatureSet) -> None:
    amounts = {("orders.all_orders", name) for name in ("is_return", "order_ts", "total_order_amount")}
    assert set(features.lineage["avg_order_value_90d"]) == amounts
    assert set(features.lineage["spend_trend_90d"]) == amounts
    assert features.lineage["complaints_90d"] == (
        ("orders.all_service_contacts", "contact_ts"),
        ("orders.all_service_contacts", "topic"),
    )
    assert features.lineage["as_of_day_of_year"] == ()
