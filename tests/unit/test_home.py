"""A home belongs to one retailer; another one's is parked, never mixed and never lost."""

from datetime import date
from pathlib import Path

import pytest

from resources.home import (
    HomeBroken,
    HomeParked,
    HomeRecord,
    NoHome,
    need_home,
    read_home,
    take_home,
    write_home,
)

SIMULATED = HomeRecord("simulator", date(2026, 10, 31))
REAL = HomeRecord("online_retail_ii", date(2011, 8, 31))


def test_read_home_when_written_then_it_is_the_same(tmp_path: Path) -> None:
    record = HomeRecord("corner_shop", date(2026, 1, 2), mapping="name: corner_shop\n")
    write_home(tmp_path / "home", record)
    assert read_home(tmp_path / "home") == record
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["home.json"]


def test_take_home_when_the_source_changes_then_the_other_is_parked_and_taken_back(tmp_path: Path) -> None:
    home = tmp_path / ".athena"
    write_home(home, SIMULATED)
    (home / "warehouse.duckdb").write_text("simulated")
    assert take_home(home, "simulator") is None
    assert "parked at .athena-simulator" in str(take_home(home, "online_retail_ii"))
    assert not home.exists()
    write_home(home, REAL)
    assert "taken back" in str(take_home(home, "simulator"))
    assert (home / "warehouse.duckdb").read_text() == "simulated"
    assert read_home(tmp_path / ".athena-online_retail_ii") == REAL


def test_take_home_when_the_parking_place_is_taken_then_nothing_moves(tmp_path: Path) -> None:
    home = tmp_path / ".athena"
    write_home(home, SIMULATED)
    (tmp_path / ".athena-simulator").mkdir()
    with pytest.raises(HomeParked):
        take_home(home, "online_retail_ii")
    assert read_home(home) == SIMULATED


@pytest.mark.parametrize("text", ["", "{}", '{"source": "x", "first_night": "soon"}', "[]"])
def test_read_home_when_the_record_is_broken_then_it_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "home.json").write_text(text)
    with pytest.raises(HomeBroken, match=r"home\.json"):
        read_home(tmp_path)


def test_need_home_when_nothing_has_landed_then_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NoHome, match="athena run"):
        need_home(tmp_path)
