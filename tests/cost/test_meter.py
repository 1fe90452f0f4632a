"""The meter measures what ran, records it whatever came of it, and survives several writers."""

import multiprocessing
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cost import usage
from cost.period import Month
from resources import probe
from resources.meter import Meter

MIB = 1024 * 1024


def rows_of(home: Path) -> dict[tuple[str, str], usage.Usage]:
    """Rows of this month by step and meter, read through a plain connection: an independent reader."""
    with closing(sqlite3.connect(home / "cost" / "usage.sqlite")) as store:
        moments = [row[0] for row in store.execute("SELECT DISTINCT substr(started_at, 1, 7) FROM usage")]
    found = [row for moment in moments for row in usage.load(home / "cost" / "usage.sqlite", Month.parse(moment))]
    return {(row.step, row.meter): row for row in found}


def spin(seconds: float) -> None:
    """Burn CPU of this process until its own CPU clock says so."""
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(500))


def test_measure_when_a_block_burns_cpu_then_cpu_and_wall_are_what_the_clocks_say(tmp_path):
    meter = Meter(tmp_path)
    cpu, wall = time.process_time(), time.perf_counter()
    with meter.measure(run_id="r", step="s", stage="training"):
        spin(0.1)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    found = rows_of(tmp_path)
    assert 0.1 <= found["s", "cpu"].quantity / 1e6 <= cpu + 0.005
    assert found["s", "cpu"].quantity / 1e6 <= found["s", "wall"].quantity / 1e6 + 0.02
    assert found["s", "wall"].quantity / 1e6 <= wall


def test_measure_when_the_work_is_a_child_process_then_its_cpu_is_counted(tmp_path):
    with Meter(tmp_path).measure(run_id="r", step="s", stage="training"):
        code = "import time\nwhile time.process_time() < 0.15: pass"
        subprocess.run([sys.executable, "-c", code], check=True)
    assert rows_of(tmp_path)["s", "cpu"].quantity >= 150_000


def test_measure_when_memory_was_freed_before_then_the_peak_is_of_this_step(tmp_path):
    meter = Meter(tmp_path)
    with meter.measure(run_id="r", step="large", stage="training"):
        block = bytearray(120 * MIB)
        del block
    with meter.measure(run_id="r", step="small", stage="training"):
        pass
    found = rows_of(tmp_path)
    assert found["large", "peak_memory"].quantity - found["small", "peak_memory"].quantity > 100 * MIB


def test_measure_when_nested_then_the_outer_peak_includes_what_came_before_and_inside(tmp_path):
    meter = Meter(tmp_path)
    with meter.measure(run_id="r", step="outer", stage="training"):
        block = bytearray(120 * MIB)
        del block
        with meter.measure(run_id="r", step="inner", stage="training"):
            pass
    found = rows_of(tmp_path)
    assert found["outer", "peak_memory"].quantity - found["inner", "peak_memory"].quantity > 100 * MIB


def test_sampled_peak_when_the_high_water_mark_cannot_be_reset_then_a_held_block_is_seen():
    watcher = probe._SamplingWatcher()
    measured = watcher.start()
    before = measured.peak
    block = bytearray(80 * MIB)
    time.sleep(4 * probe.SAMPLE_SECONDS)
    del block
    assert watcher.stop(measured) - before > 70 * MIB
    assert watcher.thread is None


def test_measure_when_a_file_is_written_then_bytes_and_told_rows_are_exact_integers(tmp_path):
    with Meter(tmp_path).measure(run_id="r", step="s", stage="pipeline") as measurement:
        (tmp_path / "out").write_bytes(bytes(3 * MIB))
        measurement.rows(rows_in=7, rows_out=5)
    found = rows_of(tmp_path)
    assert 3 * MIB <= found["s", "bytes_written"].quantity < 3 * MIB + 10_000
    assert (found["s", "rows_in"].quantity, found["s", "rows_out"].quantity) == (7, 5)


def test_measure_when_rows_are_not_told_then_no_row_says_zero(tmp_path):
    with Meter(tmp_path).measure(run_id="r", step="s", stage="pipeline"):
        pass
    assert ("s", "rows_in") not in rows_of(tmp_path)


def test_measure_when_the_block_raises_then_usage_is_recorded_as_failed_and_the_error_goes_on(tmp_path):
    with (
        pytest.raises(ZeroDivisionError),
        Meter(tmp_path).measure(run_id="r", step="s", stage="pipeline", attempt=2),
    ):
        _ = 1 // 0
    row = rows_of(tmp_path)["s", "cpu"]
    assert (row.outcome, row.attempt) == ("failed", 2)


def test_measure_when_the_block_raises_and_the_store_is_unusable_then_the_first_error_wins(tmp_path):
    (tmp_path / "cost" / "usage.sqlite").mkdir(parents=True)
    with pytest.raises(ZeroDivisionError) as error, Meter(tmp_path).measure(run_id="r", step="s", stage="pipeline"):
        _ = 1 // 0
    assert "usage was not recorded" in error.value.__notes__[0]


def test_measure_when_the_store_is_unusable_then_success_is_not_claimed(tmp_path):
    (tmp_path / "cost" / "usage.sqlite").mkdir(parents=True)
    with (
        pytest.raises(usage.UsageUnavailable),
        Meter(tmp_path).measure(run_id="r", step="s", stage="pipeline"),
    ):
        pass


def test_measure_when_the_clock_is_given_then_start_and_end_are_utc_and_end_is_not_before_start(tmp_path):
    moment = datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC)
    with Meter(tmp_path, clock=lambda: moment).measure(run_id="r", step="s", stage="pipeline"):
        spin(0.01)
    row = rows_of(tmp_path)["s", "wall"]
    assert row.started_at == moment
    assert (row.ended_at - moment).total_seconds() == row.quantity / 1e6


def test_measure_when_the_stage_is_unknown_then_it_is_refused_by_name(tmp_path):
    with (
        pytest.raises(usage.InvalidUsage, match="cooking"),
        Meter(tmp_path).measure(run_id="r", step="s", stage="cooking"),
    ):
        pass


def test_load_when_nothing_was_metered_then_the_error_says_what_to_run(tmp_path):
    with pytest.raises(usage.UsageUnavailable, match="athena night"):
        usage.load(tmp_path / "cost" / "usage.sqlite", Month(2026, 11))


def test_load_when_the_store_is_of_another_version_then_it_is_refused(tmp_path):
    with Meter(tmp_path).measure(run_id="r", step="s", stage="pipeline"):
        pass
    path = tmp_path / "cost" / "usage.sqlite"
    with closing(sqlite3.connect(path)) as store:
        store.execute("PRAGMA user_version=9")
    with pytest.raises(usage.UsageUnavailable, match="version 9"):
        usage.load(path, Month(2026, 11))


def test_load_when_usage_starts_at_the_turn_of_the_month_then_it_belongs_to_the_new_month(tmp_path):
    path = tmp_path / "cost" / "usage.sqlite"
    for moment in (datetime(2026, 2, 28, 23, 59, 59, 999999, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)):
        with Meter(tmp_path, clock=lambda moment=moment: moment).measure(
            run_id=moment.isoformat(), step="s", stage="pipeline"
        ):
            pass
    assert {row.run_id[:7] for row in usage.load(path, Month(2026, 2))} == {"2026-02"}
    assert {row.run_id[:7] for row in usage.load(path, Month(2026, 3))} == {"2026-03"}


def test_store_when_another_process_is_creating_it_then_the_second_waits_for_the_first(tmp_path):
    # SQLite refuses to switch to WAL at once, whatever the timeout, while somebody else has begun to write.
    path = tmp_path / "usage.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as first:
        first.execute("BEGIN IMMEDIATE")
        release = threading.Timer(0.2, lambda: first.execute("COMMIT"))
        release.start()
        usage.append(path, [])
        release.join()


def test_append_when_the_store_cannot_be_written_then_the_error_is_named_and_a_lock_is_transient(tmp_path, monkeypatch):
    path = tmp_path / "usage.sqlite"
    usage.append(path, [])
    monkeypatch.setattr(usage, "_WAIT_SECONDS", 0.05)
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        with pytest.raises(usage.UsageBusy, match=r"usage\.sqlite") as error:
            usage.append(path, [])
    assert error.value.transient
    with pytest.raises(usage.UsageUnavailable) as error:
        usage.append(tmp_path, [])
    assert not error.value.transient


def _write_many(homes: list[str], writer: int, together: Any) -> None:
    for home in homes:
        together.wait()
        meter = Meter(Path(home))
        for number in range(5):
            with meter.measure(run_id=f"run-{writer}", step=f"step-{number}", stage="pipeline"):
                pass


def test_store_when_four_processes_write_a_new_one_at_once_then_no_row_is_lost(tmp_path):
    context = multiprocessing.get_context("fork")
    homes = [str(tmp_path / str(number)) for number in range(8)]
    together = context.Barrier(4)
    writers = [context.Process(target=_write_many, args=(homes, number, together)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    for home in homes:
        with closing(sqlite3.connect(Path(home) / "cost" / "usage.sqlite")) as store:
            assert store.execute("SELECT count(*) FROM usage WHERE meter = 'cpu'").fetchone()[0] == 20
            assert store.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
