"""Rule 11: every asset says what it is, whose it is, where it lies and what it costs under; and is checked."""

from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from athena_assets.definitions import Overrides, build_athena, build_definitions
from checks.gate import Policy, gated
from checks.rules import WARNINGS
from resources.home import HomeRecord, write_home
from resources.settings import Settings

NOT_A_TABLE = {"published/tco"}
SOURCES = {"simulator": date(2026, 10, 29), "online_retail_ii": date(2011, 8, 31)}


def graph_of(source: str, home: Path) -> tuple[dg.Definitions, list[dg.AssetSpec]]:
    write_home(home, HomeRecord(source, SOURCES[source]))
    definitions = build_definitions(Overrides(settings=Settings(home=home)))
    return definitions, list(definitions.resolve_all_asset_specs())


def gaps(spec: dg.AssetSpec) -> list[str]:
    """What rule 11 finds missing in an asset."""
    name = spec.key.to_user_string()
    found = []
    if not spec.description or len(spec.description) < 20:
        found.append("description")
    if not spec.owners:
        found.append("owners")
    if not spec.kinds:
        found.append("kinds")
    if spec.group_name in (None, "default"):
        found.append("group")
    if not spec.code_version:
        found.append("code version")
    found += [f"tag {tag}" for tag in ("model", "cost_center", "stage") if not spec.tags.get(tag)]
    if name in NOT_A_TABLE:
        return found
    if spec.metadata.get("dagster/table_name") != ".".join(spec.key.path):
        found.append("table name equal to the key")
    schema = spec.metadata.get("dagster/column_schema")
    if not isinstance(schema, dg.TableSchema) or not schema.columns:
        found.append("column schema")
    elif not all(column.description for column in schema.columns):
        found.append("column descriptions")
    return found


@pytest.mark.parametrize("source", SOURCES)
def test_asset_graph_when_walked_then_no_asset_lacks_anything(source: str, tmp_path: Path) -> None:
    _, specs = graph_of(source, tmp_path)
    assert len(specs) > 25
    assert {spec.key.to_user_string(): gaps(spec) for spec in specs if gaps(spec)} == {}


def test_gaps_when_an_asset_is_bare_then_each_is_named() -> None:
    bare = dg.AssetSpec(["shop", "sale"])
    assert {"description", "owners", "kinds", "group", "code version", "column schema", "tag model"} <= set(gaps(bare))


@pytest.mark.parametrize("source", SOURCES)
def test_asset_graph_when_walked_then_every_table_has_blocking_checks_partitioned_as_it_is(
    source: str, tmp_path: Path
) -> None:
    definitions, specs = graph_of(source, tmp_path)
    graph = definitions.resolve_asset_graph()
    for spec in specs:
        keys = graph.get_check_keys_for_assets({spec.key})
        name = spec.key.to_user_string()
        if name in NOT_A_TABLE:
            continue
        assert "schema" in {key.name for key in keys}, name
        for key in keys:
            check = graph.get_check_spec(key)
            assert check.blocking != check.name.endswith(WARNINGS), key
            assert check.partitions_def == spec.partitions_def, key


def test_asset_graph_when_walked_then_every_body_is_metered(tmp_path: Path) -> None:
    definitions, _ = graph_of("simulator", tmp_path)
    for definition in [*(definitions.assets or []), *(definitions.asset_checks or [])]:
        assert isinstance(definition, dg.AssetsDefinition)
        body = definition.op.compute_fn.decorated_fn  # type: ignore[union-attr]
        assert getattr(body, "__metered__", False), definition.op.name


def test_asset_graph_when_the_source_has_no_contacts_then_their_features_are_said_to_be_unavailable(
    tmp_path: Path,
) -> None:
    write_home(tmp_path, HomeRecord("online_retail_ii", date(2011, 8, 31)))
    athena = build_athena(Settings(home=tmp_path))
    assert "complaints_90d" not in athena.feature_set.columns
    assert "service_contacts" in athena.feature_set.unavailable["complaints_90d"]
    keys = {key.to_user_string() for key in athena.definitions.resolve_asset_graph().get_all_asset_keys()}
    assert "orders/service_contacts" not in keys
    assert "orders/order_lines" in keys


def test_published_predictions_when_walked_upstream_then_every_check_stands_before_them(tmp_path: Path) -> None:
    definitions, _ = graph_of("simulator", tmp_path)
    graph = definitions.resolve_asset_graph()
    upstream = dg.AssetSelection.assets("predictions/churn").upstream().resolve(graph)
    names = {key.to_user_string() for key in upstream}
    assert {
        "raw/order_lines",
        "raw/order_lines_history",
        "orders/orders",
        "orders/orders_history",
        "features/customer_features",
        "churn/training_set",
        "churn/evaluation",
        "churn/registered",
        "predictions/churn_candidate",
    } <= names


def test_jobs_when_resolved_then_they_hold_what_they_promise(tmp_path: Path) -> None:
    definitions, _ = graph_of("simulator", tmp_path)
    night = {key.to_user_string() for key in definitions.resolve_job_def("night").asset_layer.executable_asset_keys}
    assert {"predictions/churn", "cost/tco", "published/tco", "ops/night_pins"} <= night
    assert not any(name.endswith("_history") for name in night)
    schedule = (
        {item.name: item for item in definitions.resolve_all_schedule_defs()}
        if hasattr(definitions, "resolve_all_schedule_defs")
        else {"night_at_two": definitions.resolve_schedule_def("night_at_two")}
    )
    assert schedule["night_at_two"].cron_schedule == "0 2 * * *"
    assert schedule["night_at_two"].execution_timezone == "Europe/London"


def test_sensors_when_an_asset_has_a_condition_then_the_one_that_can_ask_the_gate_evaluates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def sensors() -> set[str]:
        definitions, _ = graph_of("simulator", tmp_path)
        return {sensor.name for sensor in definitions.get_repository_def().sensor_defs}

    def eager(assets: dg.AssetsDefinition, policy: Policy) -> dg.AssetsDefinition:
        conditioned = assets.map_asset_specs(
            lambda spec: spec.replace_attributes(automation_condition=dg.AutomationCondition.eager())
        )
        return gated(conditioned, policy)

    assert sensors() == {"alerts"}
    monkeypatch.setattr("athena_assets.definitions.gated", eager)
    assert sensors() == {"alerts", "automation"}
