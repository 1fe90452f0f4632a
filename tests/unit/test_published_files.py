"""A published file that is gone, cut or replaced is named with the night that publishes it again."""

from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from athena_assets.nights import Night
from athena_assets.predictions.publish import publish_night
from athena_assets.predictions.published_files import PublicationLost, refuse_lost_files

FIRST, LAST = "2026-10-29", "2026-10-30"


@pytest.fixture
def published(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE TABLE churn AS SELECT CAST(day AS DATE) AS night, CAST(day AS TIMESTAMP) + INTERVAL 1 DAY AS as_of,"
            f" 'C-' || range AS customer_id FROM (VALUES ('{FIRST}'), ('{LAST}')) v(day), range(100)"
        )
        for night in (FIRST, LAST):
            publish_night(connection, "churn", Night.parse(night), tmp_path)
        yield connection


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def garble(path: Path) -> None:
    """Make the names of columns no text."""
    path.write_bytes(path.read_bytes().replace(b"customer_id", b"\xd8ustomer_id"))


@pytest.mark.parametrize(
    ("file", "spoil", "night"),
    [
        (f"night={FIRST}/part-0.parquet", Path.unlink, FIRST),
        (f"night={FIRST}/part-0.parquet", cut, FIRST),
        (f"night={FIRST}/part-0.parquet", garble, FIRST),
        (f"night={LAST}/part-0.parquet", cut, LAST),
        ("latest.parquet", Path.unlink, LAST),
        ("latest.parquet", cut, LAST),
    ],
)
def test_published_files_when_one_is_lost_then_its_night_is_named(
    file: str, spoil: Callable[[Path], None], night: str, published: duckdb.DuckDBPyConnection, tmp_path: Path
) -> None:
    assert refuse_lost_files(published, "churn", tmp_path) == LAST
    spoil(tmp_path / file)
    with pytest.raises(PublicationLost) as caught:
        refuse_lost_files(published, "churn", tmp_path)
    assert caught.value.next_command == f"athena night {night}"


def test_published_files_when_nothing_was_published_then_there_is_no_night(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        assert refuse_lost_files(connection, "churn", tmp_path) is None
