"""A version is judged by the limits that its folder has today, from what its training measured."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import dagster as dg
import duckdb
import pytest

from athena_assets.definitions import Athena, Overrides, build_athena
from athena_assets.lifecycle.model_spec import MODELS
from checks.gate import UpstreamUnverified
from resources.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Shop

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
EVALUATION, REGISTERED = dg.AssetKey(["churn", "evaluation"]), dg.AssetKey(["churn", "registered"])


def with_minimum_auc(shop: Shop, minimum: float, folder: Path) -> Athena:
    """The shop's code location, with another limit in the folder of the model."""
    shutil.copytree(MODELS, folder)
    spec = folder / "churn" / "model.yaml"
    text = spec.read_text()
    assert "minimum_auc: 0.70\n" in text
    spec.write_text(text.replace("minimum_auc: 0.70\n", f"minimum_auc: {minimum}\n"))
    return build_athena(Settings(home=shop.home), Overrides(models=folder))


def run(athena: Athena, shop: Shop, *, check: bool) -> dg.ExecuteInProcessResult:
    """Check the evaluation of the month that was trained, as `athena check --outdated` does, or register it."""
    ((month,),) = shop.rows("SELECT partition FROM gate.materialisation WHERE asset = 'churn.trained'")
    keys = athena.definitions.resolve_asset_graph().get_check_keys_for_assets({EVALUATION}) if check else set()
    job = athena.definitions.resolve_implicit_global_asset_job_def()
    chosen = job.get_subset(asset_selection=set() if check else {REGISTERED}, asset_check_selection=set(keys))
    return chosen.execute_in_process(
        run_config=QUIET,
        tags={"dagster/partition": str(month)},
        instance=dg.DagsterInstance.ephemeral(),
        raise_on_error=False,
    )


@pytest.fixture
def shop(simulated_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("ATHENA_HOME", str(simulated_shop.home))
    return simulated_shop


def test_gate_when_a_limit_was_raised_since_the_training_then_the_check_refuses_what_does_not_reach_it(
    shop: Shop, tmp_path: Path
) -> None:
    stricter = with_minimum_auc(shop, 0.99, tmp_path / "models")
    before = run(stricter, shop, check=False)
    assert "judged by other rules than today's" in said(before)
    assert not run(stricter, shop, check=True).success
    after = run(stricter, shop, check=False)
    assert "churn.evaluation" in said(after)
    assert "which failed its check performance" in said(after)
    assert "at least 0.99 wanted" in said(after)


def test_gate_when_a_limit_was_lowered_since_the_training_then_what_reaches_it_passes(
    shop: Shop, tmp_path: Path
) -> None:
    """The rows that say how it was judged are a record of its day."""
    with duckdb.connect(str(shop.home / "warehouse.duckdb")) as connection:
        connection.execute(
            "UPDATE churn.evaluation SET slice = 'refused', low = 0.99 WHERE section = 'gate' AND name = 'auc'"
        )
    laxer = with_minimum_auc(shop, 0.6, tmp_path / "models")
    assert run(laxer, shop, check=True).success
    assert run(laxer, shop, check=False).success


def said(result: dg.ExecuteInProcessResult) -> str:
    """What the step that was refused said."""
    assert not result.success
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert UpstreamUnverified.__name__ in str(failures)
    return "\n".join(str(data.user_failure_data.description) for data in failures if data.user_failure_data)
