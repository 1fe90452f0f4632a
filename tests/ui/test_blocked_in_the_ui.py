"""What an engineer sees in Dagster's UI of a night that was stopped, and what going on by hand comes to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from tests.ui.browser import PATIENCE_SECONDS, Server, Tab, browsing, served

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

GOOD, NIGHT = "2011-10-28", "2011-10-29"
DOWNSTREAM = "features/customer_features"


@pytest.fixture(scope="module")
def stopped(athena: Command, retail_evening: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A shop whose night came without customers."""
    shop = retail_evening.copied_to(tmp_path_factory.mktemp("ui") / "stopped")
    path = shop.night_file(NIGHT)
    header, *lines = path.read_text().splitlines()
    nobody = [",".join([*line.split(",")[:6], "", line.split(",")[7]]) for line in lines]
    path.write_text("\n".join([header, *nobody]) + "\n")
    assert athena(shop.home, "load", "--night", NIGHT, path).code == 0
    assert athena(shop.home, "night", NIGHT).code == 1
    return shop


@pytest.fixture(scope="module")
def server(stopped: Shop, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(stopped.home, repository, tmp_path_factory.mktemp("log"), daemon=True) as made:
        yield made


@pytest.fixture(scope="module")
def tab(server: Server) -> Iterator[Tab]:
    with browsing(server) as opened:
        yield opened


def materialised(server: Server, asset: str) -> set[str]:
    """Nights of an asset that Dagster knows to be materialised."""
    path = ", ".join(f'"{part}"' for part in asset.split("/"))
    found = server.ask(
        f"{{ assetNodeOrError(assetKey: {{path: [{path}]}}) {{ ... on AssetNode {{ latestMaterializationByPartition"
        f'(partitions: ["{GOOD}", "{NIGHT}"]) {{ partition }} }} }} }}'
    )["assetNodeOrError"]["latestMaterializationByPartition"]
    return {each["partition"] for each in found if each}


def test_failed_check_when_opened_then_rule_rows_delivery_and_mending_command_are_read(
    tab: Tab, tmp_path_factory: pytest.TempPathFactory
) -> None:
    tab.open("/assets/orders/order_lines?view=checks&checkDetail=completeness", "Failed", "customer_id.null_limit")
    tab.shows(f"orders.order_lines {NIGHT} is refused", "rows that offend customer_id.null_limit", "--replaces")
    tab.shows(f"churn: night {GOOD} stays up", "docs/runbooks/completeness.md")
    tab.picture(tmp_path_factory.getbasetemp() / "blocked-check.png")


def test_downstream_when_a_check_failed_then_it_is_not_materialised(tab: Tab, server: Server) -> None:
    tab.open(f"/assets/{DOWNSTREAM}?view=partitions", "Missing", NIGHT)
    assert materialised(server, "orders/order_lines") == {GOOD, NIGHT}
    assert materialised(server, DOWNSTREAM) == {GOOD}
    assert materialised(server, "predictions/churn") == {GOOD}


def test_downstream_when_materialised_alone_by_hand_then_it_is_refused_with_the_reason(
    tab: Tab, server: Server, stopped: Shop, tmp_path_factory: pytest.TempPathFactory
) -> None:
    before = stopped.files()
    tab.open(f"/assets/{DOWNSTREAM}?view=partitions", NIGHT)
    tab.page.get_by_role("button", name="Materialize").first.click()
    tab.page.get_by_placeholder("ex: 2011").last.fill(NIGHT)
    tab.page.keyboard.press("Enter")
    tab.page.get_by_role("button", name="Launch 1 run").click()
    run = finished_run(server)
    assert run["status"] == "FAILURE"
    tab.open(f"/runs/{run['runId']}", "STEP_FAILURE")
    tab.shows(f"features.customer_features {NIGHT} is not computed: it would read", "athena why orders.")
    tab.picture(tmp_path_factory.getbasetemp() / "blocked-by-hand.png")
    assert materialised(server, DOWNSTREAM) == {GOOD}
    assert {name: digest for name, digest in stopped.files().items() if name.startswith("published")} == {
        name: digest for name, digest in before.items() if name.startswith("published")
    }
    with duckdb.connect(str(stopped.home / "warehouse.duckdb"), read_only=True) as connection:
        nights = connection.execute("SELECT DISTINCT CAST(night AS VARCHAR) FROM features.customer_features").fetchall()
    assert nights == [(GOOD,)]


def finished_run(server: Server) -> dict[str, str]:
    """The newest run, once it has ended."""
    deadline = time.monotonic() + 3 * PATIENCE_SECONDS
    query = "{ runsOrError(limit: 1) { ... on Runs { results { runId status jobName } } } }"
    while time.monotonic() < deadline:
        (run,) = server.ask(query)["runsOrError"]["results"]
        if run["jobName"].startswith("__") and run["status"] in ("FAILURE", "SUCCESS", "CANCELED"):
            return dict(run)
        time.sleep(0.5)
    pytest.fail("the run that was launched in the UI did not end")
