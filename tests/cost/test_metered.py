"""`metered` on real Dagster assets and checks: who is charged, and what the materialisation shows."""

import gc
import inspect
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from cost import usage
from cost.period import Month
from resources.meter import Meter, NotMeterable, metered

PARTITIONS = dg.StaticPartitionsDefinition(["a", "b", "c"])
CHURN = {"model": "churn", "stage": "training"}


def spin(seconds: float) -> None:
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(500))


def run(home: Path, assets: list[Any], **options: Any) -> dg.ExecuteInProcessResult:
    return dg.materialize(assets, resources={"meter": Meter(home)}, raise_on_error=False, **options)


def recorded(home: Path, meter: str = "cpu") -> list[usage.Usage]:
    month = Month.of(datetime.now(UTC))
    rows = usage.load(home / "cost" / "usage.sqlite", month)
    return [row for row in rows if row.meter == meter]


def shown(result: dg.ExecuteInProcessResult) -> dict[str, dict[str, Any]]:
    return {
        event.asset_key.to_user_string(): {name: value.value for name, value in event.materialization.metadata.items()}
        for event in result.get_asset_materialization_events()
    }


@dg.asset(key=["models", "fit"], tags=CHURN, partitions_def=PARTITIONS, required_resource_keys={"meter"})
@metered
def fit(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
    spin(0.03)
    return dg.MaterializeResult(metadata={"auc": 0.8})


@dg.asset(key=["models", "nothing"], tags={"model": "shared", "stage": "pipeline"}, required_resource_keys={"meter"})
@metered
def nothing(context: dg.AssetExecutionContext) -> None:
    spin(0.001)


@dg.asset(
    key=["models", "broken"],
    tags=CHURN,
    retry_policy=dg.RetryPolicy(max_retries=1),
    required_resource_keys={"meter"},
)
@metered
def broken(context: dg.AssetExecutionContext) -> None:
    spin(0.02)
    raise RuntimeError("no")


@dg.multi_asset(
    specs=[
        dg.AssetSpec(["raw", name], tags={"model": "shared", "stage": "pipeline"}) for name in ("one", "two", "six")
    ],
    can_subset=True,
    required_resource_keys={"meter"},
)
@metered
def several(context: dg.AssetExecutionContext):
    for key in sorted(context.selected_asset_keys):
        if key.path[-1] == "two":
            spin(0.05)
        yield dg.MaterializeResult(asset_key=key)
    spin(0.01)


@dg.multi_asset(
    specs=[dg.AssetSpec(["raw", "x"], tags=CHURN), dg.AssetSpec(["raw", "y"], tags={"model": "demand"})],
    required_resource_keys={"meter"},
)
@metered
def together(context: dg.AssetExecutionContext):
    return tuple(dg.MaterializeResult(asset_key=["raw", name]) for name in ("x", "y"))


@dg.multi_asset_check(
    specs=[dg.AssetCheckSpec("rows", asset=["models", "nothing"]), dg.AssetCheckSpec("k", asset=["models", "nothing"])],
    can_subset=True,
    required_resource_keys={"meter"},
)
@metered
def checks_of_nothing(context: dg.AssetCheckExecutionContext):
    for key in sorted(context.selected_asset_check_keys):
        yield dg.AssetCheckResult(passed=True, asset_key=key.asset_key, check_name=key.name)


def test_metered_when_an_asset_returns_then_its_usage_names_run_step_asset_partition_model_stage(tmp_path):
    result = run(tmp_path, [fit], partition_key="b")
    (row,) = recorded(tmp_path)
    assert (row.run_id, row.step, row.attempt, row.asset_key, row.partition, row.model, row.stage, row.outcome) == (
        result.run_id,
        "models__fit",
        0,
        "models/fit",
        "b",
        "churn",
        "training",
        "succeeded",
    )
    assert row.quantity >= 30_000


def test_metered_when_an_asset_returns_then_its_materialisation_shows_the_recorded_figures(tmp_path):
    figures = shown(run(tmp_path, [fit], partition_key="b"))["models/fit"]
    assert figures["auc"] == 0.8
    assert figures["cost/cpu_seconds"] == recorded(tmp_path)[0].quantity / 1e6
    assert figures["cost/wall_seconds"] == recorded(tmp_path, "wall")[0].quantity / 1e6
    assert figures["cost/peak_memory_mb"] > 10
    assert figures["cost/bytes_written"] == recorded(tmp_path, "bytes_written")[0].quantity


def test_metered_when_the_model_tag_says_shared_then_no_model_is_charged(tmp_path):
    figures = shown(run(tmp_path, [nothing]))["models/nothing"]
    (row,) = recorded(tmp_path)
    assert (row.model, row.stage, row.partition) == (None, "pipeline", None)
    assert "cost/cpu_seconds" in figures
    assert "cost/shared_by" not in figures


def test_metered_when_the_body_raises_then_every_attempt_is_recorded_as_failed(tmp_path):
    assert not run(tmp_path, [broken]).success
    rows = recorded(tmp_path)
    assert [(row.attempt, row.outcome) for row in rows] == [(0, "failed"), (1, "failed")]
    assert all(row.quantity >= 20_000 for row in rows)


def test_metered_when_a_body_yields_then_each_asset_shows_its_own_part_and_the_step_has_all(tmp_path):
    figures = shown(run(tmp_path, [several]))
    assert figures["raw/two"]["cost/cpu_seconds"] >= 0.05
    assert figures["raw/one"]["cost/cpu_seconds"] < 0.03
    (row,) = recorded(tmp_path)
    assert row.asset_key == "raw/one,raw/six,raw/two"
    assert row.quantity >= 60_000
    assert row.quantity >= sum(each["cost/cpu_seconds"] for each in figures.values()) * 1e6 - 1


def test_metered_when_results_carry_row_counts_then_their_sum_is_recorded_as_rows_out(tmp_path):
    @dg.multi_asset(specs=[dg.AssetSpec("one"), dg.AssetSpec("two")], required_resource_keys={"meter"})
    @metered
    def yielded(context: dg.AssetExecutionContext):
        yield dg.MaterializeResult(
            asset_key="one", metadata={"dagster/partition_row_count": 5, "dagster/row_count": 99}
        )
        yield dg.MaterializeResult(asset_key="two", metadata={"dagster/row_count": dg.MetadataValue.int(7)})

    @dg.multi_asset(specs=[dg.AssetSpec("three"), dg.AssetSpec("four")], required_resource_keys={"meter"})
    @metered
    def returned(context: dg.AssetExecutionContext):
        return (
            dg.MaterializeResult(asset_key="three", metadata={"dagster/row_count": 1}),
            dg.MaterializeResult(asset_key="four"),
        )

    assert run(tmp_path, [yielded, returned, nothing]).success
    assert {row.step: row.quantity for row in recorded(tmp_path, "rows_out")} == {"yielded": 12, "returned": 1}


def test_metered_when_a_subset_is_selected_then_only_it_is_charged(tmp_path):
    run(tmp_path, [several], selection=[dg.AssetKey(["raw", "six"])])
    assert [row.asset_key for row in recorded(tmp_path)] == ["raw/six"]


def test_metered_when_one_step_serves_two_models_then_it_belongs_to_neither_and_says_it_is_shared(tmp_path):
    figures = shown(run(tmp_path, [together]))
    (row,) = recorded(tmp_path)
    assert (row.model, row.stage) == (None, usage.UNTAGGED_STAGE)
    assert {each["cost/shared_by"] for each in figures.values()} == {2}


def test_metered_when_a_check_yields_then_it_is_recorded_under_the_asset_it_checks(tmp_path):
    result = run(tmp_path, [nothing, checks_of_nothing])
    assert result.success
    (row,) = [row for row in recorded(tmp_path) if row.step == "checks_of_nothing"]
    assert (row.asset_key, row.stage, row.outcome) == ("models/nothing", "pipeline", "succeeded")


def test_metered_when_only_the_check_runs_then_the_tags_of_its_asset_are_still_found(tmp_path):
    definitions = dg.Definitions(
        assets=[nothing],
        asset_checks=[checks_of_nothing],
        resources={"meter": Meter(tmp_path)},
        jobs=[dg.define_asset_job("only", selection=dg.AssetSelection.checks(checks_of_nothing))],
    )
    assert definitions.resolve_job_def("only").execute_in_process().success
    (row,) = recorded(tmp_path)
    assert (row.asset_key, row.stage) == ("models/nothing", "pipeline")


def test_metered_when_a_range_of_partitions_runs_in_one_step_then_the_row_says_so(tmp_path):
    @dg.asset(
        key=["raw", "range"],
        partitions_def=PARTITIONS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        required_resource_keys={"meter"},
    )
    @metered
    def ranged(context: dg.AssetExecutionContext) -> None:
        pass

    tags = {"dagster/asset_partition_range_start": "a", "dagster/asset_partition_range_end": "c"}
    result = run(tmp_path, [ranged], tags=tags)
    assert [row.partition for row in recorded(tmp_path)] == ["a...c"]
    assert shown(result)["raw/range"]["cost/shared_by"] == 3


def test_metered_when_no_meter_is_bound_then_the_home_of_the_settings_is_used(tmp_path, monkeypatch):
    @dg.asset(key=["raw", "plain"])
    @metered
    def plain(context: dg.AssetExecutionContext) -> None:
        pass

    monkeypatch.setenv("ATHENA_HOME", str(tmp_path))
    assert dg.materialize([plain]).success
    assert [row.step for row in recorded(tmp_path)] == ["raw__plain"]


def test_metered_when_the_body_is_called_directly_then_it_runs_and_nothing_is_recorded(tmp_path):
    @dg.asset
    @metered
    def direct(context: dg.AssetExecutionContext) -> int:
        return 3

    assert direct(dg.build_asset_context()) == 3
    assert not (tmp_path / "cost").exists()


def test_metered_when_it_wraps_then_signature_name_and_mark_are_kept():
    def body(context: dg.AssetExecutionContext, orders: int, *, limit: int = 3) -> int:
        return limit

    wrapped = metered(body)
    assert inspect.signature(wrapped) == inspect.signature(body)
    assert wrapped.__name__ == "body"
    assert wrapped.__metered__ is True


def test_metered_when_the_body_is_asynchronous_then_it_is_refused():
    async def body(context: dg.AssetExecutionContext) -> None:
        return None

    with pytest.raises(NotMeterable, match="asynchronous"):
        metered(body)


def test_metered_when_a_consumer_abandons_a_generator_then_the_usage_is_recorded_as_failed(tmp_path):
    @dg.op(required_resource_keys={"meter"}, out={"one": dg.Out(int), "two": dg.Out(int)})
    @metered
    def wrong_type(context: dg.OpExecutionContext):
        yield dg.Output("not an integer", "one")
        yield dg.Output(2, "two")

    @dg.job(resource_defs={"meter": dg.ResourceDefinition.hardcoded_resource(Meter(tmp_path))})
    def job() -> None:
        wrong_type()

    assert not job.execute_in_process(raise_on_error=False).success
    gc.collect()  # Dagster drops the generator without closing it
    assert [row.outcome for row in recorded(tmp_path)] == ["failed"]
