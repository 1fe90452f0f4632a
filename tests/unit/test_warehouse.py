"""The warehouse gives its lock back, replaces in one transaction, and names what is wrong with the machine."""

import shutil
import subprocess
import sys
import textwrap
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from athena_assets.sql import has_table
from resources.attached import tidy
from resources.warehouse import (
    Warehouse,
    WarehouseCorrupt,
    WarehouseLocked,
    WarehouseMissing,
    exact,
    replace_rows,
    transaction,
)


def warehouse_at(folder: Path) -> Warehouse:
    return Warehouse(database=str(folder / "warehouse.duckdb"), lock_wait_seconds=0.3)


def rows_of(warehouse: Warehouse) -> list[tuple[object, ...]]:
    with warehouse.read() as connection:
        return connection.execute("SELECT * FROM t ORDER BY ALL").fetchall()


def test_write_when_the_body_raises_then_nothing_is_kept_and_the_lock_is_free(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path)
    with warehouse.write() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    kept: BaseException | None = None
    try:
        with warehouse.write() as connection:
            connection.execute("INSERT INTO t VALUES (2)")
            raise RuntimeError("half way")
    except RuntimeError as error:
        kept = error  # a kept traceback is what keeps an unclosed connection alive
    assert kept is not None
    script = f"import duckdb; duckdb.connect({warehouse.database!r}).execute('INSERT INTO t VALUES (3)')"
    subprocess.run([sys.executable, "-c", script], check=True)
    assert rows_of(warehouse) == [(1,), (3,)]


def log_of(warehouse: Warehouse) -> Path:
    return Path(f"{warehouse.database}.wal")


def test_write_when_it_is_not_settled_then_readers_see_it_and_the_next_one_moves_it_into_the_file(
    tmp_path: Path,
) -> None:
    warehouse = warehouse_at(tmp_path)
    with warehouse.write() as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    for number in (2, 3):
        with warehouse.write(settled=False) as connection:
            connection.execute("INSERT INTO t VALUES ($number)", {"number": number})
        assert log_of(warehouse).exists()
        assert rows_of(warehouse) == [(each,) for each in range(1, number + 1)]
    with pytest.raises(RuntimeError), warehouse.write(settled=False) as connection:
        connection.execute("INSERT INTO t VALUES (9)")
        raise RuntimeError("half way")
    with warehouse.write() as connection:
        connection.execute("INSERT INTO t VALUES (4)")
    assert not log_of(warehouse).exists()
    assert rows_of(warehouse) == [(1,), (2,), (3,), (4,)]


def test_settle_when_a_write_was_left_in_the_log_then_the_file_alone_has_it(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path)
    warehouse.settle()
    assert not Path(warehouse.database).exists()
    with warehouse.write(settled=False) as connection:
        connection.execute("CREATE TABLE t AS SELECT 1 AS a")
    warehouse.settle()
    assert not log_of(warehouse).exists()
    alone = Path(shutil.copy(warehouse.database, tmp_path / "alone.duckdb"))
    assert rows_of(Warehouse(database=str(alone))) == [(1,)]


def test_tables_when_they_were_written_in_pieces_then_they_are_put_together_where_somebody_tidies(
    tmp_path: Path,
) -> None:
    warehouse = warehouse_at(tmp_path)

    def write(sql: str, *, tidied: bool = False) -> list[int]:
        with warehouse.write() as connection:
            connection.execute(sql)
            if tidied:
                tidy(connection)
        with warehouse.read() as connection:
            groups = connection.execute(
                "SELECT row_group_id, max(count) FROM pragma_storage_info('t') WHERE column_name = 'a' GROUP BY ALL"
                " ORDER BY ALL"
            ).fetchall()
        return [rows for _, rows in groups]

    write("CREATE TABLE t AS SELECT * FROM range(1000) AS rows(a)")
    write("INSERT INTO t SELECT * FROM range(1000, 3000)")
    assert write("DELETE FROM t WHERE a % 2 = 0") == [1000, 2000]
    assert write("INSERT INTO t VALUES (-1)", tidied=True) == [1501]
    assert write("INSERT INTO t VALUES (-2)") == [1501, 1]
    # What holds nothing but deleted rows takes no room, tidied or not.
    assert write("DELETE FROM t WHERE a = -2") == [1501]
    assert rows_of(warehouse) == [(-1,), *((number,) for number in range(1, 3000, 2))]


def test_get_connection_when_the_body_raises_then_the_lock_is_free(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path)
    held = []
    with pytest.raises(duckdb.CatalogException) as caught, warehouse.get_connection() as connection:
        held.append(connection)
        connection.execute("SELECT * FROM nowhere")
    assert caught.value is not None
    with pytest.raises(duckdb.ConnectionException):
        held[0].execute("SELECT 1")


def test_transactions_when_the_second_of_a_connection_fails_then_the_first_stays_and_nothing_of_the_second_is_known(
    tmp_path: Path,
) -> None:
    warehouse = warehouse_at(tmp_path / "made")
    with warehouse.get_connection() as connection:
        with transaction(connection):
            connection.execute("CREATE TABLE t AS SELECT 1 AS a")
        with pytest.raises(ValueError, match="half"), transaction(connection):
            connection.execute("CREATE TABLE u (a INTEGER)")
            assert has_table(connection, "main.u")
            raise ValueError("half done")
        assert not has_table(connection, "main.u")
        assert has_table(connection, "main.t")
    assert not log_of(warehouse).exists()
    assert rows_of(warehouse) == [(1,)]


def test_read_when_there_is_no_file_then_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(WarehouseMissing, match="athena run"), warehouse_at(tmp_path).read():
        pass


def test_read_when_asked_to_write_then_duckdb_refuses(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path)
    with warehouse.write() as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")
    with pytest.raises(duckdb.InvalidInputException), warehouse.read() as connection:
        connection.execute("INSERT INTO t VALUES (1)")


def test_write_when_another_process_holds_the_file_then_it_names_the_process(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path)
    script = textwrap.dedent(f"""
        import duckdb, sys
        connection = duckdb.connect({warehouse.database!r})
        print("held", flush=True)
        sys.stdin.read()
    """)
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(WarehouseLocked, match=str(holder.pid)) as caught, warehouse.write():
            pass
        assert caught.value.transient
        holder.communicate("")
    with warehouse.write() as connection:
        connection.execute("CREATE TABLE t (a INTEGER)")


def test_read_when_the_file_is_no_database_then_it_is_named(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path)
    Path(warehouse.database).write_bytes(b"not a database at all" * 400)
    with pytest.raises(WarehouseCorrupt), warehouse.read():
        pass


def test_replace_rows_when_the_insert_fails_then_the_old_partition_stands(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path)
    with warehouse.write() as connection:
        connection.execute("CREATE TABLE t (night INTEGER, a INTEGER)")
        assert replace_rows(connection, "t", "SELECT 1 AS night, 7 AS a", where="night = $n", parameters={"n": 1}) == 1
    with pytest.raises(duckdb.ConversionException), warehouse.write() as connection:
        replace_rows(connection, "t", "SELECT 1 AS night, CAST('x' AS INTEGER) AS a", {"n": 1}, where="night = $n")
    assert rows_of(warehouse) == [(1, 7)]


def test_replace_rows_when_run_twice_then_other_partitions_are_untouched(tmp_path: Path) -> None:
    warehouse = warehouse_at(tmp_path)
    with warehouse.write() as connection:
        connection.execute("CREATE TABLE t (night INTEGER, a INTEGER)")
        connection.execute("INSERT INTO t VALUES (1, 10), (2, 20)")
        for _ in range(2):
            count = replace_rows(connection, "t", "SELECT $n AS night, 11 AS a", {"n": 1}, where="night = $n")
        assert count == 1
    assert rows_of(warehouse) == [(1, 11), (2, 20)]


def test_exact_when_given_a_float_then_it_is_refused() -> None:
    assert exact(Decimal("1.10")) == Decimal("1.10")
    with pytest.raises(TypeError):
        exact(1.1)
