"""A home's Dagster UI in a real Chromium, for the tests of what people see there."""

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
from pathlib import Path
from typing import Any

import psutil
import pytest

from resources.orchestrator import prepare_dagster_home
from resources.settings import load_settings

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

    def picture(self, path: Path) -> None:
        """Leave a picture of the page, as docs/ shows it."""
        self.page.screenshot(path=path)


@contextmanager
def served(home: Path, repository: Path, folder: Path, *, daemon: bool = False) -> Iterator[Server]:
    """The UI of a home, with the daemon that starts queued runs where a test launches one."""
    port, log = free_port(), folder / "webserver.log"
    env, workspace = environment(home, repository), str(repository / "workspace.yaml")
    command = [sys.executable, "-m", "dagster_webserver", "-w", workspace, "-h", LOOPBACK, "-p", str(port)]
    with started(command, env, home, log) as process:
        made = Server(f"http://{LOOPBACK}:{port}", log, process.pid)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not made.is_ready():
            if time.monotonic() > deadline or process.poll() is not None:
                pytest.fail(f"the webserver did not come up:\n{log.read_text()}")
            time.sleep(0.2)
        if not daemon:
            yield made
            return
        run = [sys.executable, "-m", "dagster._daemon", "run", "-w", workspace]
        with started(run, env, home, folder / "daemon.log"):
            yield made


@contextmanager
def browsing(server: Server) -> Iterator[Tab]:
    """A tab of Chromium on a served UI; its absence is a failure in CI and a skip elsewhere."""
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
