"""A command's process ends at once, and nothing that it printed, holds or means by its exit code is lost."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BODY = """
import atexit, os, sys, threading, time
from athena_cli.ending import ends_at_once

class Kept:
    def __del__(self):
        os.write(2, b"collected")

def body():
    global kept
    kept = Kept()
    {body}

{run}
"""
"""A process that says `collected` where Python takes its objects apart at the end."""

BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}

LATE = "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()"
CLOSED = "print('lost'); os.close(1)"


def process(body: str, run: str) -> subprocess.CompletedProcess[str]:
    script = BODY.format(body=body, run=run)
    return subprocess.run([sys.executable, "-c", script], env=BUFFERED, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("print('out', end=''); print('err', end='', file=sys.stderr)", 0),
        ("sys.exit()", 0),
        ("print('out'); sys.exit(1)", 1),
        ("sys.exit(130)", 130),
        ("sys.exit(-1)", 255),
        ("atexit.register(print, 'first'); atexit.register(print, 'second')", 0),
        (f"{LATE}; print('body')", 0),
        ("sys.stdout = None", 0),
        ("sys.stdout.close()", 0),
    ],
)
def test_end_when_expected_then_words_and_code_are_pythons_and_nothing_is_taken_apart(body: str, code: int) -> None:
    at_once, python = process(body, "ends_at_once(body)"), process(body, "body()")
    assert (at_once.returncode, at_once.stdout) == (python.returncode, python.stdout)
    assert at_once.returncode == code
    assert f"{at_once.stderr}collected" == python.stderr


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("raise ValueError('a defect')", 1),
        ("sys.exit('words')", 1),
        ("raise KeyboardInterrupt", -2),
        (CLOSED, 120),
        (f"{CLOSED}; sys.exit(1)", 120),
    ],
)
def test_end_when_unusual_then_it_is_pythons_own(body: str, code: int) -> None:
    at_once, python = process(body, "ends_at_once(body)"), process(body, "body()")
    assert at_once.returncode == python.returncode == code
    assert at_once.stdout == python.stdout
    last = [ended.stderr.splitlines()[-1] for ended in (at_once, python)]
    assert last[0] == last[1]
    assert "collected" in at_once.stderr
    assert "atexit" not in at_once.stderr


def test_end_when_duckdb_has_spilled_then_the_folder_is_gone(tmp_path: Path) -> None:
    script = f"""
from pathlib import Path
from athena_cli.ending import ends_at_once

spill = Path({str(tmp_path)!r}, "spill")
config = {{"threads": 2, "memory_limit": "40MB", "temp_directory": str(spill)}}

def body():
    from resources.attached import attached

    file = {str(tmp_path / "warehouse.duckdb")!r}
    with attached(file, config, read_only=False, settled=True, wait_seconds=1) as connection:
        connection.execute("CREATE TEMPORARY TABLE t AS SELECT hash(range) AS a, hash(-range) AS b FROM range(4000000)")
        assert list(spill.iterdir())
    assert spill.exists(), "what closes the instance is not looked at"

ends_at_once(body)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert [path.name for path in tmp_path.iterdir()] == ["warehouse.duckdb"]


def test_end_when_dagsters_events_were_written_then_they_are_in_one_file(tmp_path: Path) -> None:
    script = f"""
import os
from athena_cli.ending import ends_at_once

def body():
    global storage
    from resources.event_storage import PooledSqliteEventLogStorage

    storage = PooledSqliteEventLogStorage({str(tmp_path)!r})
    assert os.path.exists(storage.get_db_path() + "-wal"), "nothing is left to fold in"

ends_at_once(body)
"""
    subprocess.run([sys.executable, "-c", script], check=True)
    assert not list(tmp_path.glob("*-wal"))


def test_command_when_its_output_is_cut_off_then_it_ends_without_a_trace(repository: Path, tmp_path: Path) -> None:
    """As in `athena --help | head -0`."""
    read, write = os.pipe()
    os.close(read)
    try:
        ended = subprocess.run(
            [sys.executable, "-m", "athena_cli", "--help"],
            cwd=repository,
            env={**BUFFERED, "ATHENA_HOME": str(tmp_path)},
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(write)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_command_when_its_output_cannot_be_written_then_only_that_is_said(repository: Path, tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "athena_cli", "--help"],
            cwd=repository,
            env={**BUFFERED, "ATHENA_HOME": str(tmp_path)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ended.returncode == 120
    assert ended.stderr.splitlines()[-1] == "OSError: [Errno 28] No space left on device"
    assert "leaked" not in ended.stderr
