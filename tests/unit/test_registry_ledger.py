"""The promotion ledger refuses every change but an append, and notices those that were forced on it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from resources.registry import InvalidTransition, LedgerBroken, RegistryBusy, Stage
from resources.registry.ledger import Ledger, Move

AT = datetime(2026, 3, 1, 8, tzinfo=UTC)
COLUMNS = ["at", "model", "version", "from_stage", "to_stage", "reason", "actor", "run_id", "evidence", "hash"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A ledger of three rows."""
    path = tmp_path / "ledger.sqlite"
    way = [Stage.UNREGISTERED, Stage.DEVELOPMENT, Stage.STAGING, Stage.PRODUCTION]
    for number, (from_stage, to_stage) in enumerate(pairwise(way)):
        move = Move("churn", "1", from_stage, to_stage, "because", "run", {"auc": 0.8})
        Ledger(path).append([move], actor="ada", at=AT + timedelta(hours=number))
    return path


@contextmanager
def raw(path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(path)) as connection:
        yield connection
        connection.commit()


def without_guards(connection: sqlite3.Connection) -> None:
    triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in triggers:
        connection.execute(f"DROP TRIGGER {name}")


def test_ledger_when_there_is_no_file_then_it_is_empty_and_reading_makes_none(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.sqlite")
    assert (ledger.rows(), ledger.verify(), ledger.projected()) == ([], 0, 0)
    assert list(tmp_path.iterdir()) == []


def test_rows_when_appended_then_read_back_as_written_and_chained(path: Path) -> None:
    rows = Ledger(path).rows("churn")

    assert [row.sequence for row in rows] == [1, 2, 3]
    assert [row.at for row in rows] == [AT + timedelta(hours=number) for number in range(3)]
    assert rows[0].evidence == {"auc": 0.8}
    assert [row.previous_hash for row in rows] == ["0" * 64, rows[0].hash, rows[1].hash]
    assert Ledger(path).rows("demand") == []
    assert Ledger(path).verify() == 3


def test_times_when_given_in_another_zone_then_the_same_instant_gives_the_same_row(tmp_path: Path) -> None:
    hashes = []
    for zone in (UTC, timezone(timedelta(hours=5))):
        ledger = Ledger(tmp_path / f"{zone}.sqlite")
        move = Move("churn", "1", Stage.UNREGISTERED, Stage.DEVELOPMENT, "registered", "run", {})
        ledger.append([move], actor="ada", at=AT.astimezone(zone))
        hashes.append(ledger.rows()[0].hash)
    assert hashes[0] == hashes[1]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger SET reason = 'another' WHERE sequence = 2",
        "DELETE FROM ledger WHERE sequence = 3",
        "DELETE FROM ledger",
        "INSERT OR REPLACE INTO ledger SELECT * FROM ledger WHERE sequence = 1",
        "INSERT INTO ledger SELECT sequence + 7, at, model, version, from_stage, to_stage, reason, actor, run_id, "
        "evidence, previous_hash, hash || 'x' FROM ledger WHERE sequence = 1",
    ],
)
def test_ledger_when_changed_by_raw_sql_then_sqlite_refuses(path: Path, statement: str) -> None:
    with raw(path) as connection, pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    assert Ledger(path).verify() == 3


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("sequence", [1, 3])
def test_chain_when_any_column_was_changed_behind_the_guards_then_the_row_is_named(
    path: Path, column: str, sequence: int
) -> None:
    other = {"from_stage": "'archived'", "to_stage": "'archived'", "evidence": "'{\"auc\":0.9}'"}
    value = other.get(column, f"{column} || 'x'")
    with raw(path) as connection:
        without_guards(connection)
        connection.execute(f"UPDATE ledger SET {column} = {value} WHERE sequence = {sequence}")

    with pytest.raises(LedgerBroken, match=f"row {sequence}"):
        Ledger(path).rows()


def test_chain_when_a_row_in_the_middle_is_gone_then_broken(path: Path) -> None:
    with raw(path) as connection:
        without_guards(connection)
        connection.execute("DELETE FROM ledger WHERE sequence = 2")
    with pytest.raises(LedgerBroken, match="row is missing"):
        Ledger(path).rows()


def test_chain_when_rewritten_from_a_row_on_then_the_row_after_no_longer_follows(path: Path) -> None:
    forged = Ledger(path.with_name("forged.sqlite"))
    move = Move("churn", "1", Stage.UNREGISTERED, Stage.DEVELOPMENT, "another reason", "run", {"auc": 0.8})
    forged.append([move], actor="ada", at=AT)
    row = forged.rows()[0]
    with raw(path) as connection:
        without_guards(connection)
        values = {"reason": row.reason, "hash": row.hash}
        connection.execute("UPDATE ledger SET reason = $reason, hash = $hash WHERE sequence = 1", values)

    with pytest.raises(LedgerBroken, match="row 2 does not follow"):
        Ledger(path).rows()


def test_verify_when_a_guard_was_dropped_then_broken_though_the_chain_holds(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("DROP TRIGGER ledger_refuses_delete")

    assert len(Ledger(path).rows()) == 3
    with pytest.raises(LedgerBroken, match="ledger_refuses_delete"):
        Ledger(path).verify()


def test_ledger_when_the_file_is_no_database_then_broken_names_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    path.write_text("not a database" * 100)
    with pytest.raises(LedgerBroken, match=r"ledger\.sqlite"):
        Ledger(path).rows()


def test_append_when_one_of_two_moves_is_refused_then_neither_is_kept(path: Path) -> None:
    moves = [
        Move("demand", "1", Stage.UNREGISTERED, Stage.DEVELOPMENT, "registered", "run", {}),
        Move("churn", "1", Stage.PRODUCTION, Stage.ARCHIVED, "replaced", "run", {}),
    ]
    with pytest.raises(InvalidTransition, match="cannot be dated before"):
        Ledger(path).append(moves, actor="ada", at=AT)
    assert Ledger(path).verify() == 3


def test_append_when_another_process_writes_then_busy_is_named(path: Path) -> None:
    with closing(sqlite3.connect(path)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(RegistryBusy, match=r"ledger\.sqlite"):
            Ledger(path, busy_seconds=0.1).mark_projected(1)
