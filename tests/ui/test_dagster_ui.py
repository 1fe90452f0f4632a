"""The Dagster UI of a home in a real Chromium: what an engineer looks for is there, and nothing leaves the machine."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from tests.ui.browser import LOOPBACK, PATIENCE_SECONDS, Server, Tab, browsing, children_of, served, started

GROUPS = ("sources", "orders", "opening", "features", "model_churn", "predictions", "cost")


@pytest.fixture(scope="module")
def home(simulated_evening: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a small home with published nights."""
    copy: Path = simulated_evening.copied_to(tmp_path_factory.mktemp("ui")).home
    return copy


@pytest.fixture(scope="module")
def server(home: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with served(home, repository, tmp_path_factory.mktemp("log")) as made:
        yield made


@pytest.fixture(scope="module")
def tab(server: Server) -> Iterator[Tab]:
    with browsing(server) as opened:
        yield opened


def test_lineage_when_opened_then_every_group_is_drawn(tab: Tab) -> None:
    tab.open("/asset-groups", *GROUPS)


def test_table_when_opened_then_it_says_what_it_is_whose_it_is_and_what_its_columns_mean(tab: Tab) -> None:
    tab.open("/assets/orders/order_lines", "Clean order lines: every kept line", "order-data", "orders.order_lines")
    tab.shows("line_amount", "DECIMAL(18,4)", "Units, signed: negative on a return.")
    tab.shows("cost_center: data-platform", "model: shared", "DuckDB", "cost/cpu_seconds", "night")


def test_checks_when_opened_then_each_names_its_rules_and_what_they_found(tab: Tab) -> None:
    tab.open("/assets/orders/order_lines?view=checks&checkDetail=completeness", "asset check", "Passed")
    tab.shows("schema", "keys", "ranges", "freshness", "consistency")
    tab.shows("customer_id is null in more than 90.00% of rows", "customer_id.null_limit", "90.00%")


def test_features_when_opened_then_every_columns_lineage_can_be_read(tab: Tab) -> None:
    tab.open("/assets/features/customer_features?view=events", "[Show Markdown]")
    tab.page.get_by_text("[Show Markdown]").first.click()
    tab.shows("avg_order_value_90d", "orders.orders[_history]: is_return, order_ts, total_order_amount")


def test_predictions_when_plotted_then_their_figures_are_drawn_by_night(tab: Tab) -> None:
    tab.open("/assets/predictions/churn_candidate", "Plots")
    tab.page.get_by_text("Plots", exact=True).click()
    tab.shows("mean_probability", "tier_high")
    assert tab.page.locator("canvas").count() > 5


def test_run_of_a_command_when_looked_for_then_it_stands_under_its_job_and_can_be_run_again(
    tab: Tab, server: Server, home: Path
) -> None:
    published = home / "published" / "predictions" / "churn"
    nights = [folder.name.removeprefix("night=") for folder in published.glob("night=*")]
    assert nights
    tab.open("/locations/athena/jobs/night/runs", "Success", *(f"partition: {night}" for night in nights))
    query = """{ runsOrError(filter: {pipelineName: "night"}) { ... on Runs { results {
        tags { key value } repositoryOrigin { repositoryLocationName repositoryName } } } } }"""
    runs = server.ask(query)["runsOrError"]["results"]
    assert len(runs) == len(nights)
    for run in runs:
        assert run["repositoryOrigin"] == {"repositoryLocationName": "athena", "repositoryName": "__repository__"}


def test_ui_when_all_was_looked_at_then_nothing_was_asked_beyond_this_machine(tab: Tab, server: Server) -> None:
    test_lineage_when_opened_then_every_group_is_drawn(tab)
    hosts = {urlsplit(url).hostname for url in tab.requests if not url.startswith(("data:", "blob:"))}
    assert hosts == {LOOPBACK}
    assert tab.errors == []
    remote = [
        connection.raddr.ip
        for process in [psutil.Process(server.pid), *children_of(server.pid)]
        for connection in process.net_connections("inet")
        if connection.raddr
    ]
    assert [ip for ip in remote if not ip_address(ip).is_loopback] == []


def test_ui_when_all_was_looked_at_then_its_log_holds_no_error_and_no_warning(tab: Tab, server: Server) -> None:
    test_lineage_when_opened_then_every_group_is_drawn(tab)
    lines = server.log.read_text().splitlines()
    assert any("Serving dagster-webserver" in line for line in lines)
    assert [line for line in lines if any(word in line for word in ("ERROR", "WARNING", "Traceback", "Warning"))] == []


def test_definitions_when_validated_outside_of_a_home_then_they_are_clean(repository: Path, tmp_path: Path) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("ATHENA_", "DAGSTER_"))}
    found = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate"],
        env={**env, "ATHENA_HOME": str(tmp_path / "none"), "PYTHONWARNINGS": "ignore:Function `definitions_validate"},
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert found.returncode == 0, found.stderr
    assert "All code locations passed validation" in found.stdout + found.stderr
    assert [line for line in found.stderr.splitlines() if "Warning" in line or "WARNING" in line] == []
    assert not (tmp_path / "none").exists()


def test_ui_when_its_address_is_taken_then_it_says_so_at_once(repository: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        taken.listen()
        port = taken.getsockname()[1]
        command = [sys.executable, "-m", "athena_cli", "ui", "--port", str(port)]
        log = tmp_path / "log"
        env = {**os.environ, "ATHENA_HOME": str(tmp_path / "home"), "PYTHONPATH": str(repository)}
        with started(command, env, tmp_path, log) as process:
            assert process.wait(timeout=PATIENCE_SECONDS) == 1
    assert "the UI cannot listen there" in log.read_text()
    assert f"{LOOPBACK}:{port} free" in log.read_text()
    assert not (tmp_path / "home").exists()
