"""A run that somebody launches in the Dagster UI: the webserver's own mutation, and the reason that it shows."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.gate.conftest import Shop

LOOPBACK = "127.0.0.1"
PATIENCE_SECONDS = 120
SERVED = Path(__file__).with_name("served.py")
DAY = "2026-01-05"
BAD = -1
INSTANCE = """
telemetry: {enabled: false}
run_coordinator: {module: dagster._core.run_coordinator, class: DefaultRunCoordinator}
"""
LAUNCH = """
mutation ($parameters: ExecutionParams!) { launchRun(executionParams: $parameters) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }
"""
ENDED = """
query ($run: ID!) { runOrError(runId: $run) { ... on Run { status
  eventConnection { events { __typename
    ... on ExecutionStepFailureEvent { stepKey failureMetadata { description } error { message } }
    ... on MaterializationEvent { assetKey { path } } } } } } }
"""


@dataclass
class Server:
    """A running dagster-webserver on the shop."""

    url: str

    def ask(self, query: str, **variables: object) -> dict[str, Any]:
        """The `data` of a GraphQL answer."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            found: dict[str, Any] = json.load(answer)
        assert "errors" not in found, found
        data: dict[str, Any] = found["data"]
        return data

    def is_ready(self) -> bool:
        """Whether the shop has been loaded."""
        with suppress(OSError):
            status = self.ask("{ workspaceOrError { ... on Workspace { locationEntries { loadStatus } } } }")
            return [each["loadStatus"] for each in status["workspaceOrError"]["locationEntries"]] == ["LOADED"]
        return False

    def launch(self, *tables: str, checks: bool = True) -> tuple[str, list[str], list[str]]:
        """Materialise tables of `DAY` as the UI does; status, what failed steps said, tables made."""
        selector: dict[str, object] = {
            "repositoryLocationName": "shop",
            "repositoryName": "__repository__",
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": ["shop", table]} for table in tables],
        }
        if not checks:
            selector["assetCheckSelection"] = []
        parameters = {
            "selector": selector,
            "runConfigData": {},
            "mode": "default",
            "executionMetadata": {"tags": [{"key": "dagster/partition", "value": DAY}]},
        }
        launched = self.ask(LAUNCH, parameters=parameters)["launchRun"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            run = self.ask(ENDED, run=launched["run"]["runId"])["runOrError"]
            if run["status"] in ("SUCCESS", "FAILURE"):
                break
            assert time.monotonic() < deadline, run["status"]
            time.sleep(0.3)
        events = run["eventConnection"]["events"]
        failures = [each for each in events if each["__typename"] == "ExecutionStepFailureEvent"]
        said = [(each["failureMetadata"] or {}).get("description") or each["error"]["message"] for each in failures]
        made = [each["assetKey"]["path"][-1] for each in events if each["__typename"] == "MaterializationEvent"]
        return run["status"], said, made


@pytest.fixture
def server(shop: Shop, repository: Path, tmp_path: Path) -> Iterator[Server]:
    """The shop's webserver on a free port of this machine alone."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    (folder / "dagster.yaml").write_text(INSTANCE)
    (folder / "workspace.yaml").write_text(
        f"load_from: [python_file: {{relative_path: {SERVED}, location_name: shop}}]"
    )
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "dagster_webserver", "-w", "workspace.yaml", "-h", LOOPBACK, "-p", str(port)]
    env = {**os.environ, "ATHENA_HOME": str(shop.home), "DAGSTER_HOME": str(folder), "PYTHONPATH": str(repository)}
    log = tmp_path / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            command, env=env, cwd=folder, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        made = Server(f"http://{LOOPBACK}:{port}")
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not made.is_ready():
            if time.monotonic() > deadline or process.poll() is not None:
                pytest.fail(f"the webserver did not come up:\n{log.read_text()}")
            time.sleep(0.3)
        yield made
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=15)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def test_run_of_the_downstream_alone_when_launched_in_the_ui_then_it_fails_and_shows_table_partition_and_check(
    server: Server, shop: Shop
) -> None:
    """A later run of the downstream only. Dagster: runs."""
    shop.price("raw", DAY, BAD)
    assert not shop.run("raw", day=DAY).success
    status, (said,), made = server.launch("clean")
    assert status == "FAILURE"
    assert made == []
    assert "it would read shop.raw 2026-01-05, which failed its check consistency" in said
    assert "price.allowed: price is below 0 (1 rows, limit 0)" in said
    assert shop.rows("SELECT count(*) FROM gate.materialisation WHERE asset = 'shop.clean'") == [(0,)]


def test_run_without_checks_when_launched_in_the_ui_then_it_stops_after_its_first_table(
    server: Server, shop: Shop
) -> None:
    """A job without the checks. Dagster: runs."""
    status, (said,), made = server.launch("raw", "clean", "report", checks=False)
    assert status == "FAILURE"
    assert made == ["raw"]
    assert "it would read shop.raw 2026-01-05, whose check completeness has no verdict" in said
    assert server.launch("raw", "clean", "report")[0] == "SUCCESS"
    assert shop.prices("report") == {DAY: 1}
