"""The Dagster UI of a home in a real Chromium: what an engineer looks for is there, and nothing leaves the machine."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from resources.orchestrator import prepare_dagster_home
from resources.settings import load_settings

GROUPS = ("sources", "orders", "opening", "features", "model_churn", "predictions", "cost")
LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 60
PATIENCE_MS = 20_000


@dataclass
class Server:
    """A running dagster-webserver."""

    url: str
    log: Path
    pid: int

    def ask(self, query: str) -> dict[str, Any]:
        """The `data` of a GraphQL answer."""
        body = json.dumps({"query": query}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
        assert "errors" not in found, found
        return found["data"]

    def is_ready(self) -> bool:
        """Whether the code location has been loaded."""
        with suppress(OSError):
            status = self.ask("{ workspaceOrError { ... on Workspace { locationEntries { name loadStatus } } } }")
            return status["workspaceOrError"]["locationEntries"] == [{"name": "athena", "loadStatus": "LOADED"}]
        return False


@contextmanager
def started(command: list[str], env: dict[str, str], folder: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that does not outlive the block, nor does anything that it started."""
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=env, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        yield process
    finally:
        children = children_of(process.pid)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for child in children:
            with suppress(psutil.NoSuchProcess):
                child.kill()
        psutil.wait_procs(children, timeout=10)


def children_of(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
        return port


def environment(home: Path, folder: Path) -> dict[str, str]:
    """The environment of a process that works in a home, as `athena ui` makes it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ATHENA_HOME", "DAGSTER_HOME", "ATHENA_DAGSTER_STORAGE"):
            patch.setenv(name, str(home))  # set by the next line; named here to be given back
        prepare_dagster_home(load_settings().model_copy(update={"home": home}))
        return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def home(simulated_evening: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of a small home with published nights."""
    copy: Path = simulated_evening.copied_to(tmp_path_factory.mktemp("ui")).home
    return copy


@pytest.fixture(scope="module")
def server(home: Path, repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, log = free_port(), tmp_path_factory.mktemp("log") / "webserver.log"
    command = [sys.executable, "-m", "dagster_webserver", "-w", str(repository / "workspace.yaml")]
    command += ["-h", LOOPBACK, "-p", str(port)]
    with started(command, environment(home, repository), home, log) as process:
        made = Server(f"http://{LOOPBACK}:{port}", log, process.pid)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not made.is_ready():
            if time.monotonic() > deadline or process.poll() is not None:
                pytest.fail(f"the webserver did not come up:\n{log.read_text()}")
            time.sleep(0.2)
        yield made


@dataclass
class Tab:
    """A browser tab, and everything it asked for."""

    page: Any
    url: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str, *texts: str) -> None:
        """Go to a page and wait until it shows each of the texts."""
        self.page.goto(self.url + path)
        self.shows(*texts)

    def shows(self, *texts: str) -> None:
        """Wait until each of the texts can be seen."""
        for text in texts:
            self.page.get_by_text(text).locator("visible=true").first.wait_for(timeout=PATIENCE_MS)


@pytest.fixture(scope="module")
def tab(server: Server) -> Iterator[Tab]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        message = "Chromium not found: expected chromium on the PATH"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        opened = Tab(browser.new_page(viewport={"width": 1600, "height": 1400}), server.url)
        opened.page.on("request", lambda asked: opened.requests.append(asked.url))
        opened.page.on("websocket", lambda asked: opened.requests.append(asked.url))
        opened.page.on("pageerror", lambda error: opened.errors.append(str(error)))
        yield opened
        browser.close()


def test_lineage_when_opened_then_every_group_is_drawn(tab: Tab) -> None:
    tab.open("/asset-groups", *GROUPS)


def test_table_when_opened_then_it_says_what_it_is_whose_it_is_and_what_its_columns_mean(tab: Tab) -> None:
    tab.open("/assets/orders/order_lines", "Clean order lines: every kept line", "order-data", "orders.order_lines")
    tab.shows("line_amount", "DECIMAL(18,4)", "Units, signed: negative on a return.")
    tab.shows("cost_center: data-platform", "model: shared", "DuckDB", "cost/cpu_seconds", "night")


def test_checks_when_opened_then_each_names_its_rules_and_what_they_found(tab: Tab) -> None:
    tab.open("/assets/orders/order_lines?view=checks&checkDetail=completeness", "asset check", "Passed")
    tab.shows("schema", "keys", "ranges", "freshness", "consistency")
    tab.shows("customer_id is null in more than 50.00% of rows", "customer_id.null_limit", "50.00%")


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
        command = [sys.executable, "-c", "from athena_cli.main import main; main()", "ui", "--port", str(port)]
        log = tmp_path / "log"
        env = {**os.environ, "ATHENA_HOME": str(tmp_path / "home"), "PYTHONPATH": str(repository)}
        with started(command, env, tmp_path, log) as process:
            assert process.wait(timeout=PATIENCE_SECONDS) == 1
    assert "the UI cannot listen there" in log.read_text()
    assert f"{LOOPBACK}:{port} free" in log.read_text()
    assert not (tmp_path / "home").exists()
