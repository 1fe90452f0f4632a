"""What `athena replay rename` refuses before it does anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Command


def test_replay_when_the_folder_to_keep_holds_something_then_it_is_left_alone(athena: Command, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    for taken in (mine, mine / "thesis.txt"):
        answer = athena(tmp_path / "home", "replay", "rename", "--keep", taken)
        assert answer.code == 1
        assert "absent or empty" in answer.err
    assert [path.name for path in tmp_path.rglob("*")] == ["mine", "thesis.txt"]
    assert (mine / "thesis.txt").read_text() == "years of work"


def test_replay_when_the_retailer_cannot_be_simulated_then_nothing_is_left_behind(
    athena: Command, tmp_path: Path
) -> None:
    answer = athena(tmp_path / "home", "replay", "rename", "--customers", 3)
    assert answer.code == 1
    assert "customers" in answer.err
    assert list(tmp_path.iterdir()) == []
