"""Athena's own graph: all is gated, all that is written is stamped, and what we use of Dagster is there."""

from __future__ import annotations

import inspect
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph
from dagster._core.definitions.decorators.op_decorator import DecoratedOpFunction
from dagster._core.definitions.partitions.context import partition_loading_context

from athena_assets.definitions import Overrides, build_definitions
from checks.gate import Ungated, gated
from checks.needs import GatePlan
from resources.home import HomeRecord, write_home
from resources.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Shop as Retailer

SOURCES = {"simulator": date(2026, 10, 29), "online_retail_ii": date(2011, 8, 31)}
NOT_A_TABLE = {"published.tco"}
NIGHTS = dg.DailyPartitionsDefinition("2026-01-01", end_date="2026-01-11")


@pytest.fixture(params=SOURCES)
def definitions(request: pytest.FixtureRequest, tmp_path: Path) -> dg.Definitions:
    write_home(tmp_path, HomeRecord(request.param, SOURCES[request.param]))
    return build_definitions(Overrides(settings=Settings(home=tmp_path)))


def assets_of(definitions: dg.Definitions) -> list[dg.AssetsDefinition]:
    found = list(definitions.assets or [])
    assert all(isinstance(each, dg.AssetsDefinition) for each in found)
    return [each for each in found if isinstance(each, dg.AssetsDefinition)]


def test_asset_graph_when_walked_then_every_asset_that_can_be_made_is_gated(definitions: dg.Definitions) -> None:
    walked: set[dg.AssetKey] = set()
    for assets in assets_of(definitions):
        compute = assets.op.compute_fn
        assert isinstance(compute, DecoratedOpFunction)
        assert getattr(compute.decorated_fn, "__gated__", False), assets.op.name
        walked |= assets.keys
    assert walked == set(definitions.resolve_asset_graph().materializable_asset_keys)


def test_asset_graph_when_walked_then_no_check_of_a_partitioned_asset_is_without_partitions(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    assert len(graph.asset_check_keys) > 40
    for key in graph.asset_check_keys:
        check = graph.get_check_spec(key)
        assert check.partitions_def == graph.get(key.asset_key).partitions_def, key
        assert check.blocking != check.name.endswith("_warnings"), key


def test_asset_graph_when_walked_then_every_table_has_a_blocking_check_with_the_hash_of_its_rules(
    definitions: dg.Definitions,
) -> None:
    graph = definitions.resolve_asset_graph()
    plan = GatePlan(graph)
    tables = [address for address in plan.addresses if address not in NOT_A_TABLE]
    needs = {need.asset: need for need in plan.own((address, "x") for address in tables)}
    assert set(needs) == set(tables)
    assert all(check.rules_hash for need in needs.values() for check in need.checks)


def test_evening_when_it_has_run_then_the_stamps_are_exactly_what_dagster_says_was_made(
    simulated_evening: Retailer,
) -> None:
    stamped = {
        (str(asset), str(partition))
        for asset, partition in simulated_evening.rows("SELECT asset, partition FROM gate.materialisation")
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATHENA_HOME", str(simulated_evening.home))
        patch.setenv("ATHENA_DAGSTER_STORAGE", str(simulated_evening.home / "dagster" / "storage"))
        instance = dg.DagsterInstance.from_config(str(simulated_evening.home / "dagster"))
        with instance:
            made = {
                (".".join(key.path), str(record.partition_key or ""))
                for key in instance.all_asset_keys()
                for record in instance.fetch_materializations(key, limit=1000).records
            }
    assert stamped == {(asset, partition) for asset, partition in made if asset not in NOT_A_TABLE}


def test_evening_when_it_has_run_then_every_written_partition_has_passed_every_blocking_check(
    simulated_evening: Retailer,
) -> None:
    ((without,),) = simulated_evening.rows(
        "SELECT count(*) FROM gate.materialisation ANTI JOIN (FROM gate.verdict WHERE passed) USING (asset, partition)"
    )
    ((stale,),) = simulated_evening.rows(
        "SELECT count(*) FROM gate.verdict JOIN gate.materialisation m USING (asset, partition)"
        " WHERE m.id <> materialisation"
    )
    assert (without, stale) == (0, 0)


def test_evening_when_a_partition_is_stamped_then_its_rows_stand(simulated_evening: Retailer) -> None:
    for asset, partition in simulated_evening.rows(
        "SELECT asset, partition FROM gate.materialisation WHERE partition <> '' AND asset LIKE 'predictions.%'"
    ):
        ((rows,),) = simulated_evening.rows(f"SELECT count(*) FROM {asset} WHERE night = DATE '{partition}'")
        assert isinstance(rows, int)
        assert rows > 0, asset


def graph_of(*assets: dg.AssetsDefinition) -> AssetGraph:
    return dg.Definitions(assets=assets).resolve_asset_graph()


@dg.asset(partitions_def=NIGHTS)
def parent() -> None: ...


@dg.asset(partitions_def=NIGHTS, deps=[dg.AssetDep(parent, metadata={"athena/reads": "x"})])
def child() -> None: ...


def test_dagster_when_its_graph_is_asked_then_it_answers_as_the_plan_relies_on() -> None:
    graph = graph_of(parent, child)
    assert set(graph.get(child.key).parent_keys) == {parent.key}
    assert list(graph.toposorted_asset_keys) == [parent.key, child.key]
    assert graph.get(child.key).partitions_def == NIGHTS
    assert graph.get(child.key).execution_set_asset_keys == {child.key}
    assert graph.get_partition_mapping(child.key, parent.key) in (
        dg.IdentityPartitionMapping(),
        dg.TimeWindowPartitionMapping(),
    )
    (spec,) = [spec for assets in graph.assets_defs for spec in assets.specs if spec.key == child.key]
    assert [dict(dep.metadata) for dep in spec.deps] == [{"athena/reads": "x"}]


def test_dagster_when_a_mapping_is_asked_then_it_names_what_exists_and_what_is_required_besides() -> None:
    with partition_loading_context():
        found = dg.TimeWindowPartitionMapping().get_upstream_mapped_partitions_result_for_partitions(
            NIGHTS.subset_with_partition_keys(["2026-01-04"]), NIGHTS, dg.DailyPartitionsDefinition("2026-01-05")
        )
    assert list(found.partitions_subset.get_partition_keys()) == []
    assert list(found.required_but_nonexistent_subset.get_partition_keys()) == ["2026-01-04"]
    assert NIGHTS.fmt == dg.MonthlyPartitionsDefinition("2026-01-01").fmt == "%Y-%m-%d"
    assert dg.HourlyPartitionsDefinition("2026-01-01-00:00").fmt == "%Y-%m-%d-%H:%M"
    assert NIGHTS.has_partition_key("2026-01-04")
    assert not NIGHTS.has_partition_key("2026-01-12")


def test_dagster_when_assets_are_taken_apart_then_everything_that_the_gate_puts_together_again_is_known() -> None:
    known = set(inspect.signature(dg.OpDefinition.__init__).parameters) - {"self", "kwargs"}
    used = {"compute_fn", "name", "ins", "outs", "description", "config_schema", "required_resource_keys"}
    used |= {"tags", "retry_policy", "pool"}
    # Nothing of these is used by an asset of ours: the version is a spec's, the rest is for plain ops.
    assert known - used == {"version", "code_version"}
    attributes = child.get_attributes_dict()
    accepted: Any = inspect.signature(dg.AssetsDefinition.dagster_internal_init).parameters
    assert set(attributes) == set(accepted)
    assert "node_def" in attributes


def test_gated_asset_when_compared_with_the_asset_then_only_its_body_differs() -> None:
    before, after = child, gated(child, Ungated())
    assert after is not before
    assert after.specs_by_key.keys() == before.specs_by_key.keys()
    assert after.op.output_dict.keys() == before.op.output_dict.keys()
    assert after.op.pool == before.op.pool
    differing = {
        name for name, value in after.get_attributes_dict().items() if value != before.get_attributes_dict()[name]
    }
    assert differing <= {"node_def", "specs"}
