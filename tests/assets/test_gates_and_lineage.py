"""Every table's checks stand before what is made of it, and a table's upstream is what its SQL reads."""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from athena_assets.definitions import Overrides, build_definitions
from resources.home import HomeRecord, write_home
from resources.settings import Settings

SOURCES = {"simulator": date(2026, 10, 29), "online_retail_ii": date(2011, 8, 31)}
END = {"published/tco"}
"""What nobody inside of Dagster reads, and no contract describes."""


def definitions_of(source: str, home: Path) -> dg.Definitions:
    write_home(home, HomeRecord(source, SOURCES[source]))
    return build_definitions(Overrides(settings=Settings(home=home)))


def parents(definitions: dg.Definitions, name: str) -> set[str]:
    node = definitions.resolve_asset_graph().get(dg.AssetKey(name.split("/")))
    return {key.to_user_string() for key in node.parent_keys}


@pytest.mark.parametrize("source", SOURCES)
def test_table_of_a_job_when_its_check_fails_then_something_outside_of_its_step_is_blocked(
    source: str, tmp_path: Path
) -> None:
    """Dagster blocks the steps directly downstream of a checked asset: without one the run goes on, and publishes."""
    definitions = definitions_of(source, tmp_path)
    graph = definitions.resolve_asset_graph()
    step_of = {key: graph.assets_def_for_key(key).op.name for key in graph.materializable_asset_keys}
    unguarded = [
        key.to_user_string()
        for job in ("night", "training")
        for key in definitions.resolve_job_def(job).asset_layer.executable_asset_keys
        if all(step_of[child] == step_of[key] for child in graph.get(key).child_keys)
    ]
    assert set(unguarded) == END


def test_clean_tables_when_the_source_delivers_them_then_each_reads_its_own_raw_table(tmp_path: Path) -> None:
    definitions = definitions_of("simulator", tmp_path)
    assert parents(definitions, "orders/customers_history") == {"raw/customers_history"}
    assert parents(definitions, "orders/customers") == {"raw/customers", "orders/customers_history"}
    # Whether a header tells another version of its order is seen by the order's lines.
    lines = {"raw/order_lines_history", "orders/order_lines_history"}
    assert parents(definitions, "orders/orders_history") == {"raw/orders_history", *lines}
    assert "raw/service_contacts" in parents(definitions, "orders/quarantine")
    assert "orders/quarantine" in parents(definitions, "orders/accounting")


def test_clean_tables_when_the_source_delivers_only_lines_then_they_read_the_clean_lines(tmp_path: Path) -> None:
    definitions = definitions_of("online_retail_ii", tmp_path)
    assert parents(definitions, "orders/orders") == {"orders/order_lines"}
    assert parents(definitions, "orders/customers_history") == {"orders/order_lines_history"}
    assert parents(definitions, "orders/order_lines_history") == {"raw/order_lines_history"}
