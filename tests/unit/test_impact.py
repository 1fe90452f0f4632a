"""Downstream impact with owners: by column where the SQL can be followed, by table throughout."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict

import duckdb
import pytest

from athena_assets.features.evaluate import evaluate_active
from athena_assets.impact import ImpactGraph, NotInLineage, impact_graph
from athena_assets.sources.source import source_named
from tests.unit.test_feature_set import AS_OF, CUTOFF, ROWS


@pytest.fixture(scope="module")
def simulator() -> ImpactGraph:
    return impact_graph(source_named("simulator"))


def affected(graph: ImpactGraph, table: str, *columns: str) -> set[str]:
    return {feature.name for feature in graph.of(table, columns or None).features}


def test_column_when_one_feature_reads_it_then_that_feature_alone_is_affected(simulator: ImpactGraph) -> None:
    impact = simulator.of("raw.customers", ["country"])
    assert [(feature.name, feature.owner) for feature in impact.features] == [("is_domestic", "customer-data")]
    assert [(model.name, model.owner, model.team, model.features) for model in impact.models] == [
        ("churn", "retention-analytics", "data-science", ("is_domestic",))
    ]
    assert impact.published == ("predictions.churn",)
    assert {"data-platform", "order-data", "features", "customer-data", "retention-analytics"} <= set(impact.owners)
    assert "retention team" in impact.consumers
    columns = {table.address: table.columns for table in impact.tables}
    assert columns["raw.customers"] == columns["orders.customers"] == ("country",)
    assert columns["features.customer_features"] == ("is_domestic",)


def test_column_when_it_is_money_then_the_features_of_money_are_affected_and_those_of_time_are_not(
    simulator: ImpactGraph,
) -> None:
    found = affected(simulator, "raw.orders", "total_order_amount")
    assert {"spend_365d", "avg_order_value_90d", "last_order_value", "returned_value_365d"} <= found
    assert found.isdisjoint({"recency_days", "orders_90d", "complaints_90d", "is_domestic", "campaign_contacts_90d"})


def test_column_when_it_only_selects_rows_then_every_feature_of_the_table_is_affected(simulator: ImpactGraph) -> None:
    over_orders = {n for n, feature in simulator.feature_set.by_name.items() if feature.table == "orders"}
    assert over_orders <= affected(simulator, "orders.orders", "known_at")


def test_table_when_it_is_missing_then_only_what_is_made_of_it_is_affected(simulator: ImpactGraph) -> None:
    found = affected(simulator, "raw.service_contacts")
    assert "complaints_90d" in found
    assert found.isdisjoint({"recency_days", "spend_365d", "campaign_contacts_90d"})
    assert affected(simulator, "orders.products") == set()
    assert simulator.of("orders.products").models == ()


def test_history_when_asked_then_it_is_its_table(simulator: ImpactGraph) -> None:
    assert simulator.of("orders.orders_history") == simulator.of("orders.orders")


def test_feature_when_others_build_on_it_then_they_are_affected_and_the_training_set_is_not(
    simulator: ImpactGraph,
) -> None:
    impact = simulator.of("features.customer_features", ["spend_365d"])
    assert {feature.name for feature in impact.features} == {"spend_365d", "order_value_spread_365d"}
    assert [table.address for table in impact.tables] == [
        "features.customer_features", "predictions.churn_candidate", "predictions.churn",
    ]  # fmt: skip


def test_column_when_the_table_is_not_followed_by_column_then_it_stands_for_its_table(simulator: ImpactGraph) -> None:
    by_column = simulator.of("predictions.churn_candidate", ["risk_tier"])
    assert [table.address for table in by_column.tables] == ["predictions.churn_candidate", "predictions.churn"]
    assert by_column.published == ("predictions.churn",)


def test_source_when_it_delivers_lines_alone_then_orders_are_followed_through_them() -> None:
    retail = impact_graph(source_named("online_retail_ii"))
    assert "spend_365d" in affected(retail, "raw.order_lines", "unit_price")
    with pytest.raises(NotInLineage, match="nothing is known of the table raw"):
        retail.of("raw.customers")


def test_column_when_unknown_then_the_error_lists_those_there_are(simulator: ImpactGraph) -> None:
    with pytest.raises(NotInLineage, match=r"raw.orders has no column order_total_amount"):
        simulator.of("raw.orders", ["order_total_amount"])


def test_lines_when_lists_are_long_then_they_are_counted_and_nothing_is_lost_to_a_program(
    simulator: ImpactGraph,
) -> None:
    impact = simulator.of("orders.orders")
    said = {line.partition(":")[0]: line for line in impact.lines()}
    assert f"and {len(impact.features) - 8} more" in said["features"]
    assert said["published"] == "published: predictions.churn (read by retention team)"
    assert len(json.loads(json.dumps(asdict(impact)))["features"]) == len(impact.features)


def test_module_when_imported_then_it_brings_no_orchestrator() -> None:
    script = "import sys, athena_assets.impact; print(sorted({'dagster', 'pandas', 'sqlglot'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


OTHER_VALUES = {
    "VARCHAR": "'C-' || hash({0}) % 500",
    "TIMESTAMP": "{0} - INTERVAL 40 DAY",
    "DATE": "{0} - 40",
    "BOOLEAN": "NOT {0}",
    "BIGINT": "{0} + 3",
    "DECIMAL(18,4)": "CAST({0} * 2 AS DECIMAL(18,4))",
}
CLEAN_TABLES = ("orders", "service_contacts", "campaign_contacts", "customers")


@pytest.mark.parametrize("table", CLEAN_TABLES)
def test_column_when_its_values_are_others_then_no_feature_changes_that_is_not_said_to_be_affected(
    table: str, simulator: ImpactGraph
) -> None:
    """The oracle is the computation itself: change one column's values and see which features move."""
    moved: dict[str, set[str]] = {}
    with duckdb.connect(config={"threads": 2}) as connection:
        connection.execute(ROWS)
        before = features_of(connection, simulator)
        view = f"orders.all_{table}"
        types = dict(connection.execute("SELECT name, type FROM pragma_table_info($view)", {"view": view}).fetchall())
        connection.execute(f"CREATE TABLE kept AS SELECT * FROM {view}")
        for column, type in types.items():
            other = OTHER_VALUES[type].format(column)
            connection.execute(f"CREATE OR REPLACE TABLE {view} AS SELECT * REPLACE ({other} AS {column}) FROM kept")
            after = features_of(connection, simulator)
            moved[column] = {name for name in before if moves(before[name], after[name])}
        connection.execute(f"CREATE OR REPLACE TABLE {view} AS SELECT * FROM kept")
    assert set().union(*moved.values()), "nothing moved: the oracle sees nothing"
    silent = {column: names - affected(simulator, f"orders.{table}", column) for column, names in moved.items()}
    assert {column: names for column, names in silent.items() if names} == {}


def moves(before: dict[str, object], after: dict[str, object]) -> bool:
    """Whether a customer of both populations has another value."""
    return any(before[customer] != after[customer] for customer in before.keys() & after.keys())


def features_of(connection: duckdb.DuckDBPyConnection, graph: ImpactGraph) -> dict[str, dict[str, object]]:
    """Every feature's value by customer."""
    table = evaluate_active(connection, graph.feature_set, as_of=AS_OF, cutoff=CUTOFF)
    customers = table.column("customer_id").to_pylist()
    return {
        name: dict(zip(customers, table.column(name).to_pylist(), strict=True)) for name in graph.feature_set.columns
    }
