"""What the pooled event log owes Dagster: the stock storage's behaviour, from the same file, only sooner."""

import json
import os
import re
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.asset_checks.asset_check_evaluation import AssetCheckEvaluation
from dagster._core.events import DagsterEvent, DagsterEventType, StepMaterializationData
from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log import ConsolidatedSqliteEventLogStorage, SqlEventLogStorage
from dagster._serdes import serialize_value

from resources.event_storage import PooledSqliteEventLogStorage

VOLATILE = {"timestamp", "duration_ms", "log_key", "storage_id", "run_id", "pid", "file_key"}
DAYS = dg.DailyPartitionsDefinition("2024-01-01")
ORDERS = dg.AssetKey(["orders", "order_lines"])


def message(run_id: str, text: str) -> EventLogEntry:
    return EventLogEntry(error_info=None, level=20, user_message=text, run_id=run_id, timestamp=1_700_000_000.0)


def entry(run_id: str, kind: DagsterEventType, data: object) -> EventLogEntry:
    return EventLogEntry(
        error_info=None,
        level=20,
        user_message="",
        run_id=run_id,
        timestamp=time.time(),
        dagster_event=DagsterEvent(kind.value, "night", event_specific_data=data),  # type: ignore[arg-type]
    )


def materialised(run_id: str, partition: str) -> EventLogEntry:
    event = dg.AssetMaterialization(ORDERS, partition=partition, metadata={"rows": 7})
    return entry(run_id, DagsterEventType.ASSET_MATERIALIZATION, StepMaterializationData(event, []))


def evaluated(run_id: str, *, passed: bool) -> EventLogEntry:
    data = AssetCheckEvaluation(asset_key=ORDERS, check_name="keys", passed=passed, metadata={})
    return entry(run_id, DagsterEventType.ASSET_CHECK_EVALUATION, data)


def messages(storage: SqlEventLogStorage, run_id: str) -> list[str]:
    return [record.user_message for record in storage.get_logs_for_run(run_id)]


@pytest.fixture(params=[ConsolidatedSqliteEventLogStorage, PooledSqliteEventLogStorage])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqlEventLogStorage]:
    """The contract runs on the stock storage too: a test that the original fails asks too much of ours."""
    opened = request.param(str(tmp_path / "events"))
    yield opened
    opened.dispose()


@pytest.fixture
def pooled(tmp_path: Path) -> Iterator[PooledSqliteEventLogStorage]:
    opened = PooledSqliteEventLogStorage(str(tmp_path / "events"))
    yield opened
    opened.dispose()


def test_events_when_stored_then_read_back_in_order_per_run(storage: SqlEventLogStorage) -> None:
    for number in range(5):
        storage.store_event(message("one", str(number)))
        storage.store_event(message("two", f"other {number}"))

    assert messages(storage, "one") == ["0", "1", "2", "3", "4"]
    page = storage.get_records_for_run("two", limit=2)
    rest = storage.get_records_for_run("two", cursor=page.cursor)
    assert [r.event_log_entry.user_message for r in rest.records] == ["other 2", "other 3", "other 4"]


def test_materialisation_when_stored_then_asset_and_partition_are_known(storage: SqlEventLogStorage) -> None:
    storage.store_event(materialised("one", "2024-01-05"))
    storage.store_event(materialised("two", "2024-01-06"))

    assert storage.has_asset_key(ORDERS)
    assert storage.get_materialized_partitions(ORDERS) == {"2024-01-05", "2024-01-06"}
    latest = storage.get_latest_materialization_events([ORDERS])[ORDERS]
    assert latest is not None
    assert latest.run_id == "two"


def test_check_evaluation_when_stored_then_history_tells_the_latest_first(
    storage: SqlEventLogStorage,
) -> None:
    storage.store_event(evaluated("one", passed=True))
    storage.store_event(evaluated("two", passed=False))

    history = storage.get_asset_check_execution_history(dg.AssetCheckKey(ORDERS, "keys"), limit=5)
    assert [(r.run_id, r.status.value) for r in history] == [("two", "FAILED"), ("one", "SUCCEEDED")]


def test_dynamic_partitions_when_added_and_deleted_then_membership_follows(
    storage: SqlEventLogStorage,
) -> None:
    storage.add_dynamic_partitions("deliveries", ["a", "b"])
    storage.delete_dynamic_partition("deliveries", "a")

    assert storage.get_dynamic_partitions("deliveries") == ["b"]


def test_wipe_when_asset_or_all_then_nothing_of_it_remains(storage: SqlEventLogStorage) -> None:
    storage.store_event(materialised("one", "2024-01-05"))
    storage.wipe_asset(ORDERS)
    assert not storage.has_asset_key(ORDERS)

    storage.store_event(message("one", "kept"))
    storage.wipe()
    assert messages(storage, "one") == []


def test_deleting_a_run_when_others_exist_then_only_its_events_go(storage: SqlEventLogStorage) -> None:
    storage.store_event(message("one", "a"))
    storage.store_event(message("two", "b"))
    storage.delete_events("one")

    assert messages(storage, "one") == []
    assert messages(storage, "two") == ["b"]


def test_watch_when_another_process_writes_then_every_event_is_called_back(
    pooled: PooledSqliteEventLogStorage, tmp_path: Path
) -> None:
    seen: list[str] = []
    complete = threading.Event()

    def record(event: EventLogEntry, _cursor: str) -> None:
        seen.append(event.user_message)
        if len(seen) == 20:
            complete.set()

    wait, go = os.pipe()
    writer = start_writer(tmp_path / "events", "one", 20, after=lambda: os.read(wait, 1))
    pooled.watch("one", None, record)
    os.write(go, b"!")
    assert exit_code(writer) == 0

    assert complete.wait(5), f"only {seen} arrived"
    assert seen == [str(number) for number in range(20)]
    pooled.end_watch("one", record)
    pooled.store_event(message("one", "after the end"))
    time.sleep(0.3)
    assert len(seen) == 20


def test_writers_when_three_processes_open_an_empty_home_at_once_then_no_event_is_lost(
    tmp_path: Path,
) -> None:
    base_dir = tmp_path / "fresh"
    writers = [start_writer(base_dir, f"run-{number}", 40) for number in range(3)]
    assert [exit_code(writer) for writer in writers] == [0, 0, 0]

    storage = PooledSqliteEventLogStorage(str(base_dir))
    expected = [str(number) for number in range(40)]
    assert all(messages(storage, f"run-{number}") == expected for number in range(3))
    storage.dispose()


def test_threads_when_writing_and_reading_at_once_then_each_sees_its_own_events(
    pooled: PooledSqliteEventLogStorage,
) -> None:
    failures: list[BaseException] = []

    def work(run_id: str) -> None:
        try:
            for number in range(20):
                pooled.store_event(message(run_id, str(number)))
                assert len(messages(pooled, run_id)) == number + 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(f"thread-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_fork_when_parent_has_open_connections_then_child_inherits_none_and_both_write(
    pooled: PooledSqliteEventLogStorage, tmp_path: Path
) -> None:
    pooled.store_event(message("parent", "before"))

    def child() -> None:
        assert open_files(tmp_path) == []
        pooled.store_event(message("child", "from the child"))
        assert messages(pooled, "parent") == ["before"]

    assert exit_code(start(child)) == 0
    pooled.store_event(message("parent", "after"))
    assert messages(pooled, "child") == ["from the child"]
    assert messages(pooled, "parent") == ["before", "after"]


def test_fork_when_another_thread_is_inside_a_transaction_then_child_and_thread_both_finish(
    pooled: PooledSqliteEventLogStorage,
) -> None:
    inside, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with pooled.index_connection() as conn:
            conn.exec_driver_sql("SELECT count(*) FROM event_logs").fetchall()
            inside.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait(10)
    status = exit_code(start(lambda: pooled.store_event(message("child", "written"))))
    leave.set()
    holder.join()

    assert status == 0
    assert messages(pooled, "child") == ["written"]


def test_dispose_when_called_then_neither_file_nor_thread_of_the_log_remains(
    pooled: PooledSqliteEventLogStorage, tmp_path: Path
) -> None:
    pooled.watch("one", None, lambda _event, _cursor: None)
    pooled.store_event(message("one", "a"))
    pooled.dispose()

    assert open_files(tmp_path) == []
    assert not [thread for thread in threading.enumerate() if thread.name == "event-log-tail"]


def test_schema_when_a_process_died_while_making_it_then_the_next_one_finishes_it(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "event_log.db").close()
    (tmp_path / "event_log.db").touch()

    storage = PooledSqliteEventLogStorage(str(tmp_path))
    storage.store_event(message("one", "a"))
    assert messages(storage, "one") == ["a"]
    storage.dispose()
    with sqlite3.connect(tmp_path / "event_log.db") as raw:
        assert raw.execute("SELECT count(*) FROM alembic_version").fetchall() == [(1,)]


def test_event_when_what_belongs_to_it_cannot_be_stored_then_nothing_of_it_is(
    pooled: PooledSqliteEventLogStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(pooled, "_store_asset_event", refuse)
    with pytest.raises(sqlite3.OperationalError):
        pooled.store_event(materialised("run", "2024-01-01"))
    assert pooled.get_logs_for_run("run") == []


def test_batch_when_one_of_its_events_cannot_be_stored_then_none_is_and_the_next_may_come(
    pooled: PooledSqliteEventLogStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = pooled.prepare_insert_event

    def refuse_second(event: EventLogEntry) -> object:
        if event.user_message == "second":
            raise sqlite3.OperationalError("database or disk is full")
        return stored(event)

    with monkeypatch.context() as full:
        full.setattr(pooled, "prepare_insert_event", refuse_second)
        with pytest.raises(sqlite3.OperationalError):
            pooled.store_event_batch([message("run", "first"), message("run", "second")])
    assert messages(pooled, "run") == []
    pooled.store_event_batch([message("run", "first"), message("run", "second")])
    assert messages(pooled, "run") == ["first", "second"]


def test_connections_when_opened_then_wal_with_normal_sync(pooled: PooledSqliteEventLogStorage) -> None:
    with pooled.index_connection() as conn:
        assert conn.exec_driver_sql("PRAGMA journal_mode").fetchall() == [("wal",)]
        assert conn.exec_driver_sql("PRAGMA synchronous").fetchall() == [(1,)]


def test_file_when_written_by_ours_then_the_stock_storage_reads_it(tmp_path: Path) -> None:
    ours = PooledSqliteEventLogStorage(str(tmp_path))
    ours.store_event(materialised("one", "2024-01-05"))
    ours.dispose()

    stock = ConsolidatedSqliteEventLogStorage(str(tmp_path))
    assert stock.get_materialized_partitions(ORDERS) == {"2024-01-05"}


def test_job_when_run_on_ours_then_log_and_records_equal_the_stock_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours_yaml = (
        "event_log_storage:\n"
        "  module: resources.event_storage\n"
        "  class: PooledSqliteEventLogStorage\n"
        "  config: {base_dir: {env: EVENT_LOG_DIR_UNDER_TEST}}\n"
    )
    monkeypatch.setenv("EVENT_LOG_DIR_UNDER_TEST", str(tmp_path / "pooled"))
    stock = run_night(tmp_path / "stock", "")
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "100")
    ours = run_night(tmp_path / "ours", ours_yaml)

    assert (tmp_path / "pooled" / "event_log.db").is_file()
    assert stock["status"] == ["SUCCESS"]
    assert ours == stock


def run_night(home: Path, storage_yaml: str) -> dict[str, object]:
    """A night of two gated assets in a real instance; everything it recorded, without ids and times."""
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + storage_yaml)

    @dg.asset(partitions_def=DAYS, check_specs=[dg.AssetCheckSpec("keys", asset="lines", blocking=True)])
    def lines(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        context.log.info("counted")
        yield dg.MaterializeResult(metadata={"rows": 3}, tags={"source": "simulator"})
        yield dg.AssetCheckResult(passed=True, check_name="keys", metadata={"duplicates": 0})

    @dg.asset(partitions_def=DAYS, deps=[lines])
    def features(context: dg.AssetExecutionContext) -> None:
        context.log_event(dg.AssetObservation("features", partition=context.partition_key))

    specs = [dg.AssetCheckSpec(name, asset="features") for name in ("ranges", "nulls")]

    @dg.multi_asset_check(specs=specs)
    def checked() -> Iterator[dg.AssetCheckResult]:
        yield dg.AssetCheckResult(asset_key="features", check_name="ranges", passed=True)
        yield dg.AssetCheckResult(
            asset_key="features", check_name="nulls", passed=False, severity=dg.AssetCheckSeverity.WARN
        )

    job = dg.define_asset_job("night", executor_def=dg.in_process_executor)
    definitions = dg.Definitions(assets=[lines, features], asset_checks=[checked], jobs=[job])
    with dg.DagsterInstance.from_config(str(home)) as instance:
        night = definitions.resolve_job_def("night")
        run = night.execute_in_process(instance=instance, partition_key="2024-01-05")
        assert run.success
        log = instance.event_log_storage
        keys = [dg.AssetKey("lines"), dg.AssetKey("features")]
        checks = [dg.AssetCheckKey(keys[0], "keys"), *(spec.key for spec in specs)]
        latest = log.get_latest_asset_check_execution_by_key(checks)
        stats = instance.get_run_stats(run.run_id)
        return {
            "events": [anonymous(serialize_value(event)) for event in instance.all_logs(run.run_id)],
            "partitions": [log.get_materialized_partitions(key) for key in keys],
            "tags": anonymous(json.dumps([list(log.get_event_tags_for_asset(key)) for key in keys])),
            "checks": {str(key): record.status.value for key, record in latest.items()},
            "stats": (stats.steps_succeeded, stats.materializations, stats.steps_failed),
            "status": [record.status.value for record in instance.get_runs()],
        }


def anonymous(serialised: str) -> str:
    """An event without what two runs of one job may differ in: ids, times, process numbers, folders."""
    text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "<uuid>", serialised)
    text = re.sub(r"\b[0-9a-f]{64}\b", "<data version>", text)
    text = re.sub(r'(/input_event_pointer/[^"]+": )"\d+"', r'\1"<storage id>"', text)
    text = re.sub(r"[\d.]+(ms|s)\b", "<duration>", text)
    text = re.sub(r"pid: \d+", "pid: <pid>", text)
    return json.dumps(without_volatile(json.loads(text)), sort_keys=True)


VOLATILE = {
    "timestamp",
    "duration_ms",
    "log_key",
    "storage_id",
    "run_id",
    "pid",
    "marker_start",
    "marker_end",
    "file_key",
}


def without_volatile(value: object) -> object:
    if isinstance(value, dict):
        return {key: without_volatile(item) for key, item in value.items() if key not in VOLATILE}
    if isinstance(value, list):
        return [without_volatile(item) for item in value]
    return value


def start_writer(base_dir: Path, run_id: str, count: int, *, after: Callable[[], object] = lambda: None) -> int:
    """A process that stores events and dies without closing its files, which would write them a last time."""

    def write() -> None:
        storage = PooledSqliteEventLogStorage(str(base_dir))
        after()
        for number in range(count):
            storage.store_event(message(run_id, str(number)))

    return start(write)


def open_files(folder: Path) -> list[str]:
    links = [Path("/proc/self/fd", name) for name in os.listdir("/proc/self/fd")]
    return [name for link in links if link.is_symlink() and (name := os.readlink(link)).startswith(str(folder))]


def start(body: Callable[[], None]) -> int:
    """Run the body in a forked process; its process id."""
    child = os.fork()
    if child:
        return child
    try:
        body()
    except BaseException as error:
        os.write(2, repr(error).encode())
        os._exit(1)
    os._exit(0)


def exit_code(child: int) -> int:
    """Wait for a forked process; -9 when it hung for 30 s and was killed."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
