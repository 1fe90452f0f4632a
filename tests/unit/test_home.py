"""A home belongs to one retailer; another one's is parked, never mixed and never lost."""

from datetime import date
from pathlib import Path

import pytest

from resources.home import (
    HomeBroken,
    HomeParked,
    HomeRecord,
    NoHome,
    home_of,
    need_home,
    read_home,
    write_home,
)

SIMULATED = HomeRecord("simulator", date(2026, 10, 31))
REAL = HomeRecord("online_retail_ii", date(2011, 8, 31))


def test_read_home_when_written_then_it_is_the_same(tmp_path: Path) -> None:
    record = HomeRecord("corner_shop", date(2026, 1, 2), mapping="name: corner_shop\n")
    write_home(tmp_path / "home", record)
    assert read_home(tmp_path / "home") == record
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["home.json"]


def test_home_of_when_the_source_changes_then_the_other_is_parked_and_taken_back(tmp_path: Path) -> None:
    home = tmp_path / ".athena"
    write_home(home, SIMULATED)
    (home / "warehouse.duckdb").write_text("simulated")
    with home_of(home, "simulator") as said:
        assert said is None
    with home_of(home, "online_retail_ii") as said:
        assert "parked at .athena-simulator" in str(said)
        assert not home.exists()
        write_home(home, REAL)
    with home_of(home, "simulator") as said:
        assert "taken back" in str(said)
    assert (home / "warehouse.duckdb").read_text() == "simulated"
    assert read_home(tmp_path / ".athena-online_retail_ii") == REAL


@pytest.mark.parametrize("had_a_home", [False, True])
def test_home_of_when_the_body_fails_then_everything_is_where_it_was(tmp_path: Path, had_a_home: bool) -> None:
    home, own = tmp_path / ".athena", tmp_path / ".athena-online_retail_ii"
    write_home(home, SIMULATED)
    if had_a_home:
        write_home(own, REAL)
    with pytest.raises(RuntimeError), home_of(home, "online_retail_ii"):
        (home / "landing").mkdir(parents=True)
        raise RuntimeError("the file was no good")
    assert read_home(home) == SIMULATED
    assert read_home(own) == (REAL if had_a_home else None)
    assert not (tmp_path / ".athena-simulator").exists()


def test_home_of_when_the_parking_place_is_taken_then_nothing_moves(tmp_path: Path) -> None:
    home = tmp_path / ".athena"
    write_home(home, SIMULATED)
    (tmp_path / ".athena-simulator").mkdir()
    with pytest.raises(HomeParked), home_of(home, "online_retail_ii"):
        pass
    assert read_home(home) == SIMULATED


@pytest.mark.parametrize("text", ["", "{}", '{"source": "x", "first_night": "soon"}', "[]"])
def test_read_home_when_the_record_is_broken_then_it_is_named(tmp_path: Path, text: str) -> None:
    (tmp_path / "home.json").write_text(text)
    with pytest.raises(HomeBroken, match=r"home\.json"):
        read_home(tmp_path)


def test_need_home_when_nothing_has_landed_then_it_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(NoHome, match="athena run"):
        need_home(tmp_path)
