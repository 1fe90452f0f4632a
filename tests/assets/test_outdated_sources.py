"""Nothing is made of what was computed from deliveries that no longer count, whichever asset is asked for alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from athena_assets.definitions import build_athena
from resources.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
NIGHT, NEXT = "2011-10-28", "2011-10-29"
OF_A_NIGHT = ("features.customer_features", "predictions.churn_candidate", "predictions.churn")
OF_A_MONTH = ("churn.trained", "churn.registered")


def refused(shop: Shop, table: str, partition: str) -> str:
    """What a table that is materialised alone, with its checks, was refused with; empty where it was made."""
    definitions = build_athena(Settings(home=shop.home)).definitions
    key = dg.AssetKey(table.split("."))
    step = definitions.resolve_asset_graph().get(key).execution_set_asset_keys
    job = definitions.resolve_implicit_global_asset_job_def()
    result = job.get_subset(asset_selection=set(step)).execute_in_process(
        run_config=QUIET, partition_key=partition, instance=dg.DagsterInstance.ephemeral(), raise_on_error=False
    )
    failures = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert bool(failures) != result.success
    return "\n".join(str(data.user_failure_data.description) for data in failures if data.user_failure_data)


@pytest.fixture
def shop(retail_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    monkeypatch.setenv("ATHENA_HOME", str(retail_shop.home))
    return retail_shop


def test_next_night_when_a_night_was_made_anew_from_other_orders_then_nothing_of_it_is_made_until_it_is_too(
    athena: Command, shop: Shop
) -> None:
    """And a night that is merely run again leaves the next one as it is."""
    assert athena(shop.home, "load", "--night", NEXT, shop.night_file(NEXT)).code == 0
    for night in (NEXT, NIGHT):
        again = athena(shop.home, "night", night)
        assert again.code == 0, again.err
    assert refused(shop, "predictions.churn_candidate", NEXT) == ""

    header, line = shop.night_file(NEXT).read_text().splitlines()[:2]
    late = shop.folder / "late.csv"
    late.write_text(f"{header}\n{line.replace(NEXT, NIGHT)}\n")
    assert athena(shop.home, "load", "--night", NIGHT, late).code == 0
    anew = athena(shop.home, "night", NIGHT, "--current")
    assert anew.code == 0, anew.err
    for table in OF_A_NIGHT:
        assert f"athena night {NEXT} --current" in refused(shop, table, NEXT), table


def test_month_when_the_history_was_replaced_since_then_its_model_is_neither_trained_nor_registered(
    athena: Command, shop: Shop
) -> None:
    ((month,),) = shop.rows("SELECT partition FROM gate.materialisation WHERE asset = 'churn.training_set'")
    assert refused(shop, "churn.registered", str(month)) == ""
    ((delivery,),) = shop.rows("SELECT DISTINCT delivery_id FROM orders.accounting_history")
    *lines, _ = shop.orders.read_text().splitlines()
    corrected = shop.folder / "corrected.csv"
    corrected.write_text("\n".join(lines) + "\n")
    load = athena(shop.home, "load", corrected, "--replaces", str(delivery))
    assert load.code == 0, load.err
    for table in OF_A_MONTH:
        assert f"athena train --month {str(month)[:7]}" in refused(shop, table, str(month)), table
