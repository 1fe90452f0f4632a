"""What consumers read is whole, the same bytes for the same rows, and never goes back in time."""

import random
from datetime import date
from pathlib import Path

import duckdb
import pytest

from athena_assets.nights import Night
from athena_assets.pins import (
    NightNotOpened,
    PinMismatch,
    need_pin,
    pins_to_write,
    read_pins,
    was_published,
)
from athena_assets.predictions.publish import LATEST, LAYOUT, night_of, publish_night

FIRST, SECOND = Night(date(2026, 1, 1)), Night(date(2026, 1, 2))


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("""
        CREATE TABLE scores AS
        SELECT DATE '2026-01-01' + n::INTEGER AS night, CAST(DATE '2026-01-02' + n::INTEGER AS TIMESTAMP) AS as_of,
               'C-' || c AS customer_id, hash(c + n) / 1e20 AS probability
        FROM range(2) nights(n), range(50000) customers(c) ORDER BY hash(c)
    """)
    return connection


def test_publish_night_when_run_twice_then_the_bytes_are_the_same(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    publish_night(connection, "scores", FIRST, tmp_path / "a")
    connection.execute("CREATE OR REPLACE TABLE scores AS SELECT * FROM scores ORDER BY hash(customer_id) DESC")
    publish_night(connection, "scores", FIRST, tmp_path / "b")
    one, two = ((tmp_path / side / "night=2026-01-01" / "part-0.parquet").read_bytes() for side in "ab")
    assert one == two
    assert (tmp_path / "a" / LATEST).read_bytes() == one


def test_publish_night_when_an_older_night_is_rerun_then_latest_stays(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    publish_night(connection, "scores", SECOND, tmp_path)
    publish_night(connection, "scores", FIRST, tmp_path)
    assert night_of(tmp_path / LATEST) == SECOND.day
    assert night_of(tmp_path / "night=2026-01-01" / "part-0.parquet") == FIRST.day


@pytest.mark.parametrize("rows", ["WHERE false", ", range(4)"], ids=["no row", "four row groups"])
def test_night_when_asked_of_a_file_then_it_is_that_of_its_rows(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, rows: str
) -> None:
    file = tmp_path / LATEST
    connection.execute(f"COPY (SELECT scores.* EXCLUDE (night) FROM scores {rows}) TO '{file}' ({LAYOUT})")
    nights = connection.execute(f"SELECT max(as_of) - INTERVAL 1 DAY FROM read_parquet('{file}')").fetchall()
    assert [night_of(file)] == [night and night.date() for (night,) in nights]


@pytest.mark.parametrize("as_of", ["'2026-01-02'", "DATE '2026-01-02'", "7", "{'day': as_of}"])
def test_night_when_its_column_is_of_another_type_then_it_is_none(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path, as_of: str
) -> None:
    file = tmp_path / LATEST
    connection.execute(f"COPY (SELECT * EXCLUDE (night) REPLACE ({as_of} AS as_of) FROM scores) TO '{file}' ({LAYOUT})")
    assert night_of(file) is None


@pytest.mark.parametrize("damage", [b"", b"PAR1 no footer PAR1"], ids=["empty", "no footer"])
def test_night_when_the_file_cannot_be_read_then_it_is_none(tmp_path: Path, damage: bytes) -> None:
    (tmp_path / LATEST).write_bytes(damage)
    assert night_of(tmp_path / LATEST) is None
    assert night_of(tmp_path / "gone.parquet") is None


def test_night_when_a_byte_of_the_footer_is_damaged_then_it_is_told_or_none(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    publish_night(connection, "scores", FIRST, tmp_path)
    whole = (tmp_path / LATEST).read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    chance = random.Random(11)
    told = set()
    for place in range(footer, len(whole) - 4, 5):
        damaged = bytearray(whole)
        damaged[place] ^= chance.randrange(1, 256)
        (tmp_path / LATEST).write_bytes(damaged)
        told.add(type(night_of(tmp_path / LATEST)))
    assert told == {date, type(None)}


def test_publish_night_when_it_fails_then_the_old_file_stands_and_nothing_is_left_over(
    connection: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    publish_night(connection, "scores", FIRST, tmp_path)
    before = (tmp_path / LATEST).read_bytes()
    for night in (FIRST, SECOND):
        with pytest.raises(duckdb.BinderException):
            publish_night(connection, "scores", night, tmp_path, order_by="no_such_column")
    assert (tmp_path / LATEST).read_bytes() == before
    left = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*"))
    assert left == ["latest.parquet", "night=2026-01-01", "night=2026-01-01/part-0.parquet"]


def test_pins_when_the_night_is_rerun_then_they_stay_unless_current_is_asked_for() -> None:
    pinned, current = (
        {"model:churn": "1", "feature_set": "a"},
        {"model:churn": "2", "feature_set": "a", "contracts": "c"},
    )
    assert pins_to_write(pinned, current, use_current=False) == {**current, "model:churn": "1"}
    assert pins_to_write(pinned, current, use_current=True) == current


def test_read_pins_when_the_night_was_not_opened_then_the_command_is_named() -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA ops")
        connection.execute("CREATE TABLE ops.night_pins (night DATE, subject VARCHAR, version VARCHAR)")
        with pytest.raises(NightNotOpened, match="athena night 2026-01-01"):
            read_pins(connection, FIRST)
        connection.execute("INSERT INTO ops.night_pins VALUES ('2026-01-01', 'feature_set', 'a')")
        assert read_pins(connection, FIRST) == {"feature_set": "a"}


def test_need_pin_when_the_code_has_moved_on_then_it_offers_current() -> None:
    need_pin({"feature_set": "a"}, "feature_set", "a", FIRST)
    with pytest.raises(PinMismatch, match="--current"):
        need_pin({"feature_set": "a"}, "feature_set", "b", FIRST)


def test_was_published_when_asked_inside_a_transaction_then_the_transaction_lives_on() -> None:
    with duckdb.connect() as connection:
        connection.begin()
        assert not was_published(connection, "churn", FIRST)
        connection.execute("CREATE SCHEMA predictions")
        connection.execute("CREATE TABLE predictions.churn AS SELECT DATE '2026-01-01' AS night")
        assert was_published(connection, "churn", FIRST)
        assert not was_published(connection, "churn", SECOND)
        connection.commit()
