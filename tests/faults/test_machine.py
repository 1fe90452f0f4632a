"""What the machine does to a night: a busy warehouse, a damaged file, a full disk. Each has a name and a way out."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from resources import steps

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

HERE = Path(__file__).parent
NIGHT = "2011-10-29"
FIRST_WAIT = 0.2
IN_A_NAMESPACE = ("unshare", "--map-root-user", "--mount")


@pytest.fixture
def ready(athena: Command, retail_shop: Shop) -> Shop:
    """A shop whose next night has been delivered."""
    answer = athena(retail_shop.home, "load", "--night", NIGHT, retail_shop.night_file(NIGHT))
    assert answer.code == 0, answer.err
    return retail_shop


@contextmanager
def held_by_another_process(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process holds the warehouse until its standard input is closed."""
    script = (
        f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read(); c.close()"
    )
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", script], **pipes) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        yield holder
        holder.stdin.close()


def attempts(shop: Shop, step: str) -> list[datetime]:
    """When each attempt of a step began, as the meter saw it."""
    with sqlite3.connect(shop.home / "cost" / "usage.sqlite") as store:
        rows = store.execute(
            "SELECT DISTINCT attempt, started_at FROM usage WHERE step = ? AND partition = ? ORDER BY attempt",
            (step, NIGHT),
        ).fetchall()
    assert [attempt for attempt, _ in rows] == list(range(len(rows)))
    return [datetime.fromisoformat(started) for _, started in rows]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same retries in a tenth of the time."""
    monkeypatch.setenv("ATHENA_LOCK_WAIT_SECONDS", "0.1")
    monkeypatch.setattr(steps, "FIRST_WAIT_SECONDS", FIRST_WAIT)


@pytest.mark.usefixtures("impatient")
def test_night_when_the_warehouse_stays_locked_then_it_retries_ever_slower_and_names_the_process(
    athena: Command, ready: Shop
) -> None:
    before = ready.files()
    with held_by_another_process(ready.home / "warehouse.duckdb") as holder:
        answer = athena(ready.home, "night", NIGHT)
        asked = athena(ready.home, "features", "--customer", "C-00000001")
        doctor = athena(ready.home, "doctor", "--json")
    assert answer.code == asked.code == doctor.code == 1
    for said in (answer.err, asked.err, doctor.out):
        assert "the warehouse is busy" in said
        assert f"process {holder.pid} holds {ready.home / 'warehouse.duckdb'}" in said
    assert f"night of {NIGHT} stopped at land_night" in answer.err
    assert ready.files() == before
    began = attempts(ready, "land_night")
    assert len(began) == steps.MOST_RETRIES + 1
    gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(began)]
    assert all(gap >= FIRST_WAIT * 2**number for number, gap in enumerate(gaps))


@pytest.mark.usefixtures("impatient")
def test_night_when_the_warehouse_is_freed_in_time_then_it_succeeds(athena: Command, ready: Shop) -> None:
    with held_by_another_process(ready.home / "warehouse.duckdb") as holder:

        def release() -> None:
            while not attempts(ready, "land_night"):
                time.sleep(0.05)
            assert holder.stdin is not None
            holder.stdin.close()

        releasing = threading.Thread(target=release, daemon=True)
        releasing.start()
        answer = athena(ready.home, "night", NIGHT)
        releasing.join()
    assert answer.code == 0, answer.err
    assert 1 < len(attempts(ready, "land_night")) <= steps.MOST_RETRIES + 1


def cut_in_half(content: bytes) -> bytes:
    return content[: len(content) // 2]


def overwritten(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:12_288] + bytes(255 - byte for byte in content[12_288:middle]) + content[middle:]


@pytest.mark.parametrize(
    "damage",
    [lambda content: b"", lambda content: b"no database " * 1000, cut_in_half, overwritten],
    ids=["empty", "another_file", "cut_in_half", "overwritten"],
)
def test_night_when_the_warehouse_file_is_damaged_then_it_is_named_and_the_published_night_stays(
    damage: Callable[[bytes], bytes], athena: Command, ready: Shop
) -> None:
    path = ready.home / "warehouse.duckdb"
    path.write_bytes(damage(path.read_bytes()))
    before = {name: digest for name, digest in ready.files().items() if not name.startswith("warehouse")}
    for arguments in (("night", NIGHT), ("features", "--customer", "C-00000001")):
        answer = athena(ready.home, *arguments)
        assert answer.code == 1
        assert "the warehouse file cannot be read" in answer.err
        assert "move it aside and make it anew with `athena run`" in answer.err
    assert athena(ready.home, "doctor").code == 1
    assert {name: digest for name, digest in ready.files().items() if not name.startswith("warehouse")} == before


def test_run_when_the_warehouse_was_lost_then_it_is_made_anew_and_the_published_bytes_are_the_same(
    athena: Command, retail_shop: Shop
) -> None:
    published = {name: digest for name, digest in retail_shop.files().items() if "predictions" in name}
    (retail_shop.home / "warehouse.duckdb").unlink()
    answer = athena(retail_shop.home, "run", "--source", "online_retail_ii")
    assert answer.code == 0, answer.err
    assert "training" in answer.err, "what the gate knew of the champion was lost with the warehouse"
    assert {name: digest for name, digest in retail_shop.files().items() if "predictions" in name} == published
    assert athena(retail_shop.home, "doctor").code == 0


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("home.json", "is not the record of a home"),
        ("landing/deliveries/*.json", "cannot be read"),
        ("registry/ledger.sqlite", "the promotion ledger"),
        ("dagster/storage/**/*.db", "the records of runs cannot be used"),
    ],
)
def test_night_when_a_record_of_the_home_is_damaged_then_the_file_is_named(
    file: str, says: str, athena: Command, ready: Shop
) -> None:
    damaged = list(ready.home.glob(file))
    assert damaged
    for path in damaged:
        path.write_bytes(b"{ damaged " * 500)
    before = {name: digest for name, digest in ready.files().items() if name.startswith("published")}
    answer = athena(ready.home, "night", NIGHT)
    assert answer.code == 1
    assert says in answer.err
    assert "next:" in answer.err
    assert {name: digest for name, digest in ready.files().items() if name.startswith("published")} == before


def test_night_when_the_records_of_runs_were_moved_aside_then_they_are_made_anew(athena: Command, ready: Shop) -> None:
    """The way out that the error names."""
    shutil.rmtree(ready.home / "dagster")
    answer = athena(ready.home, "night", NIGHT)
    assert answer.code == 0, answer.err


def test_command_when_memory_is_short_then_the_setting_is_named(
    athena: Command, ready: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHENA_MEMORY_LIMIT", "1MB")
    answer = athena(ready.home, "night", NIGHT)
    assert answer.code == 1
    assert "raise ATHENA_MEMORY_LIMIT" in answer.err


@pytest.fixture(scope="module")
def full_disk(retail_evening: Shop, tmp_path_factory: pytest.TempPathFactory, repository: Path) -> dict[str, Any]:
    """What `full_disk.py` tells: on a small disk of its own, or under a limit where none may be mounted."""
    folder = tmp_path_factory.mktemp("full")
    shop = retail_evening.copied_to(folder / "shop")
    file = shop.night_file(NIGHT)
    # Not UTF-8: it has to be converted, which writes beside the manifest.
    file.write_bytes(file.read_text().replace("United Kingdom", "Côte d'Ivoire", 1).encode("cp1252"))
    (folder / "mount").mkdir()
    command: list[str | Path] = [sys.executable, HERE / "full_disk.py", shop.folder, folder / "mount", NIGHT]
    mountable = shutil.which("unshare") is not None and (
        subprocess.run([*IN_A_NAMESPACE, "mount", "-t", "tmpfs", "athena", folder / "mount"], check=False).returncode
        == 0
    )
    told = subprocess.run(
        [*IN_A_NAMESPACE, *command] if mountable else command,
        cwd=repository,
        env={**os.environ, "FULL_DISK": "tmpfs" if mountable else "limit"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    found: dict[str, Any] = json.loads(told.stdout)
    return found


@pytest.mark.parametrize("moment", ["registering", "committing", "publishing"])
def test_command_when_the_disk_is_full_then_nothing_is_half_written_and_the_same_command_works_once_it_is_free(
    moment: str, full_disk: dict[str, Any]
) -> None:
    told = full_disk[moment]
    code, said = told["first"]
    assert code == 1
    assert "Traceback" not in said
    if full_disk["disk"] == "tmpfs":
        assert ("the landing zone cannot be written" if moment == "registering" else "the disk is full") in said
        assert "then run the same command again" in said
    assert told["unchanged"], "published predictions and the landing zone are as before"
    assert told["hidden"] == []
    assert told["again"][0] == 0, told["again"]
    assert told["visible"] == full_disk["registering"]["visible"], "the bytes of a night that had room"
