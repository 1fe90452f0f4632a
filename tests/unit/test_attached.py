"""A file attached to the process's one DuckDB instance is given back whatever happens."""

import subprocess
import sys
import threading
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from resources.attached import FileBusy, attached, beside

CONFIG = {"threads": 2}


@pytest.fixture
def file(tmp_path: Path) -> str:
    """A file with a table of one row."""
    path = str(tmp_path / "some where's.duckdb")
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    return path


def opened(file: str, **how: Any) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
    return attached(file, how.pop("config", CONFIG), **{"read_only": True, "settled": True, "wait_seconds": 0.2, **how})


def rows(connection: duckdb.DuckDBPyConnection) -> list[tuple[int]]:
    return connection.execute("SELECT a FROM t ORDER BY a").fetchall()


def another_process_writes(file: str, value: int) -> None:
    script = f"import duckdb; duckdb.connect({file!r}).execute('INSERT INTO t VALUES ({value})')"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_file_when_it_was_used_then_another_process_can_write_and_is_seen(file: str) -> None:
    for value in (2, 3):
        with opened(file) as connection:
            assert len(rows(connection)) == value - 1
        another_process_writes(file, value)
    with opened(file) as connection:
        assert rows(connection) == [(1,), (2,), (3,)]


def test_file_when_something_fails_in_a_transaction_then_it_is_rolled_back_and_free(file: str) -> None:
    with pytest.raises(duckdb.ConversionException), opened(file, read_only=False) as connection:
        connection.begin()
        connection.execute("INSERT INTO t VALUES (2)")
        connection.execute("SELECT CAST('x' AS INTEGER)")
    another_process_writes(file, 3)
    with opened(file) as connection:
        assert rows(connection) == [(1,), (3,)]


def test_temporary_table_when_its_connection_is_closed_then_it_is_gone(file: str) -> None:
    with opened(file, read_only=False) as connection:
        connection.execute("CREATE TEMP TABLE passing AS SELECT 1")
    with opened(file) as connection, pytest.raises(duckdb.CatalogException, match="passing"):
        connection.execute("SELECT * FROM passing")


def test_file_when_threads_read_at_once_then_each_has_a_connection(file: str) -> None:
    with opened(file) as first, opened(file) as second:
        assert first is not second
        assert rows(first) == rows(second) == [(1,)]
    another_process_writes(file, 2)


@pytest.mark.parametrize("how", [{"read_only": False}, {"config": {"threads": 1}}], ids=["to write", "otherwise"])
def test_file_when_a_thread_has_it_then_another_that_wants_it_otherwise_waits_its_time(
    file: str, how: dict[str, Any]
) -> None:
    refused: list[BaseException] = []

    def want() -> None:
        try:
            with opened(file, **how):
                pass
        except FileBusy as error:
            refused.append(error)

    with opened(file):
        thread = threading.Thread(target=want)
        thread.start()
        thread.join()
    assert len(refused) == 1
    want()
    assert len(refused) == 1, "free again"


def test_file_when_a_thread_gives_it_back_in_time_then_the_waiting_one_has_it(file: str) -> None:
    written = threading.Event()

    def write() -> None:
        with opened(file, read_only=False, wait_seconds=30) as connection:
            connection.execute("INSERT INTO t VALUES (2)")
        written.set()

    with opened(file):
        thread = threading.Thread(target=write)
        thread.start()
        assert not written.wait(0.1)
    thread.join()
    with opened(file) as connection:
        assert rows(connection) == [(1,), (2,)]


def test_connection_when_one_is_asked_for_beside_another_then_it_sees_the_same_file(file: str) -> None:
    with opened(file) as connection, beside(connection) as second:
        assert rows(second) == [(1,)]


def test_settings_when_another_home_has_others_then_they_are_its_own(file: str) -> None:
    for threads in (1, 2, 1):
        with opened(file, config={"threads": threads}) as connection:
            assert connection.execute("SELECT current_setting('threads')").fetchone() == (threads,)


def test_file_when_it_cannot_be_opened_then_the_next_one_can(file: str, tmp_path: Path) -> None:
    broken = tmp_path / "broken.duckdb"
    broken.write_bytes(b"no database" * 1000)
    with pytest.raises(duckdb.IOException, match="not a valid DuckDB database"), opened(str(broken)):
        pass
    with opened(file) as connection:
        assert rows(connection) == [(1,)]


FORKS = """
import os, sys, threading, time
from resources.attached import FileBusy, attached
file, how = sys.argv[1:]
use = lambda: attached(file, {"threads": 2}, read_only=True, settled=True, wait_seconds=1)
with use() as connection:
    connection.execute("SELECT * FROM t").fetchall()
if how == "while another thread waits for the file":
    import duckdb, subprocess
    holder = subprocess.Popen(
        [sys.executable, "-c", f"import duckdb, sys; c = duckdb.connect({file!r}); print(flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    )
    holder.stdout.readline()
    def want():
        try:
            with use():
                pass
        except duckdb.IOException:
            pass
    threading.Thread(target=want).start()
    time.sleep(0.3)
child = os.fork()
if child == 0:
    if how == "and the child uses the file":
        with use() as connection:
            assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]
    sys.exit(0)
_, status = os.waitpid(child, 0)
if how == "while another thread waits for the file":
    holder.communicate()
with use() as connection:
    assert connection.execute("SELECT * FROM t").fetchall() == [(1,)]
print(status)
"""


@pytest.mark.parametrize(
    "how", ["and the child leaves it alone", "and the child uses the file", "while another thread waits for the file"]
)
def test_file_when_the_process_forks_then_parent_and_child_end_in_order(file: str, how: str) -> None:
    found = subprocess.run(
        [sys.executable, "-c", FORKS, file, how], capture_output=True, text=True, timeout=60, check=True
    )
    assert found.stdout == "0\n", found.stderr


def test_file_when_a_result_is_still_read_as_a_stream_then_it_is_busy_until_that_has_ended(file: str) -> None:
    with opened(file, read_only=False) as connection:
        connection.execute("CREATE TABLE long AS SELECT * FROM range(3000000)")
    with opened(file) as connection:
        stream = connection.sql("SELECT * FROM long").to_arrow_reader(1000)
        next(stream)
    with pytest.raises(FileBusy, match=r"where's\.duckdb"), opened(file, read_only=False):
        pass
    del stream
    with opened(file) as connection:
        assert rows(connection) == [(1,)]
