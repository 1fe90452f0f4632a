"""What a command leaves behind when it fails, is killed or succeeds, and where there is no home to leave it in."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
import typer

from athena_assets.errors import AthenaError, InvalidArgument
from athena_cli.changing import LOAD, NIGHT, RUN, TRAIN, ChangingCommand
from athena_cli.telling import deliver_outstanding, telling
from resources.findings import Findings
from resources.home import HomeRecord, write_home
from resources.outbox import outbox_path
from resources.watch import Watch

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
DAY = "2026-10-29"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    write_home(folder, HomeRecord("simulator", date(2026, 10, 29)))
    monkeypatch.setenv("ATHENA_HOME", str(folder))
    monkeypatch.setattr(sys, "argv", ["athena", "night", DAY, "--current"])
    return folder


def failing(error: BaseException) -> object:
    def body(**arguments: object) -> None:
        raise error

    return body


def fail(command: object, error: BaseException, **arguments: object) -> None:
    with pytest.raises(type(error)):
        telling(command, failing(error))(**arguments)  # type: ignore[arg-type]


def succeed(command: object, **arguments: object) -> None:
    telling(command, lambda **_: None)(**arguments)  # type: ignore[arg-type]


def rules(home: Path) -> list[tuple[str, str, str]]:
    return [(one.finding.asset, one.finding.partition, one.finding.rule) for one in Findings(home).open()]


class Damaged(AthenaError):
    """Some named error."""


def test_command_when_it_ends_with_a_defect_then_somebody_is_told_with_the_trace(home: Path) -> None:
    fail(NIGHT, KeyError("spend"), day=DAY)
    (only,) = Findings(home).open()
    assert (only.finding.asset, only.finding.partition, only.finding.rule) == ("athena night", DAY, "CommandDefective")
    assert "Traceback" in only.finding.details
    assert "next:     athena night 2026-10-29 --current" in only.finding.details
    assert (home / "monitoring" / "alerts.log").read_text().startswith(f"ERROR alert 1: night {DAY}: athena night: ")


@pytest.mark.parametrize("end", [typer.Exit(1), typer.Abort(), KeyboardInterrupt(), InvalidArgument("no")])
def test_command_when_its_user_ends_it_or_typed_it_wrong_then_nobody_is_told(home: Path, end: BaseException) -> None:
    fail(NIGHT, end, day=DAY)
    assert rules(home) == []


def test_commands_when_they_succeed_then_they_clear_what_they_mend_and_nothing_else(home: Path) -> None:
    for command, arguments in ((NIGHT, {"day": DAY}), (NIGHT, {"day": "2026-10-30"}), (RUN, {})):
        fail(command, Damaged("it is broken"), **arguments)
    fail(LOAD, Damaged("it is broken"), files=[], night=DAY)
    succeed(LOAD, files=[], night="2026-10-30")
    assert len(rules(home)) == 4
    succeed(NIGHT, day=DAY)
    assert rules(home) == [("athena night", "2026-10-30", "Damaged"), ("athena run", "", "Damaged")]
    succeed(RUN)
    assert rules(home) == []


def test_load_of_the_history_when_refused_then_only_a_load_of_it_is_taken_for_its_end(home: Path) -> None:
    fail(LOAD, Damaged("it is broken"), files=[])
    succeed(NIGHT, day=DAY)
    succeed(LOAD, files=[], night=DAY)
    assert rules(home) == [("raw.order_lines", "", "Damaged")]
    succeed(LOAD, files=[])
    assert rules(home) == []


def test_load_when_what_it_replaces_cannot_be_read_then_the_next_load_is_its_end(home: Path) -> None:
    fail(LOAD, Damaged("a manifest is broken"), files=[], replaces="online_retail_ii-1")
    assert rules(home) == [("athena load", "", "Damaged")]
    succeed(LOAD, files=[], night=DAY)
    assert rules(home) == []


def test_command_when_it_named_no_month_then_its_success_with_one_is_its_end(home: Path) -> None:
    fail(TRAIN, Damaged("it is broken"))
    fail(TRAIN, Damaged("it is broken"), month="2026-08")
    succeed(TRAIN, month="2026-09")
    assert rules(home) == [("athena train", "2026-08-01", "Damaged")]


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (NIGHT, {"day": "20261029"}),
        (NIGHT, {"day": "2026-W44-4"}),
        (LOAD, {"files": [], "night": "20261029"}),
        (TRAIN, {"month": "2026-9"}),
        (TRAIN, {"month": "202609"}),
    ],
)
def test_command_when_its_partition_is_typed_in_another_way_then_it_is_refused_before_anything_can_fail(
    home: Path, command: ChangingCommand, arguments: dict[str, object]
) -> None:
    with pytest.raises(InvalidArgument, match="YYYY-MM"):
        telling(command, failing(Damaged("it is broken")))(**arguments)  # type: ignore[arg-type]
    assert rules(home) == []


KILLED = """
import os, signal, sys
from athena_cli.changing import NIGHT
from athena_cli.telling import telling
telling(NIGHT, lambda **_: os.kill(os.getpid(), signal.SIGKILL))(day=sys.argv[2])
"""


@pytest.fixture
def killed(home: Path, repository: Path) -> Path:
    """The home of a night whose process was killed."""
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, "night", DAY], cwd=repository, env=dict(os.environ), check=False
    )
    assert ended.returncode == -9
    assert Findings(home).open() == []
    return home


def test_command_when_it_is_killed_then_whoever_looks_next_leaves_one_alert(killed: Path) -> None:
    deliver_outstanding()
    deliver_outstanding()
    assert rules(killed) == [("athena night", DAY, "CommandKilled")]
    assert f"next:     athena night {DAY}" in Findings(killed).open()[0].finding.details
    assert len((killed / "monitoring" / "alerts.jsonl").read_text().splitlines()) == 1
    succeed(NIGHT, day=DAY)
    assert rules(killed) == []


def test_command_when_it_succeeds_after_it_was_killed_then_nothing_is_open_and_nobody_is_told(killed: Path) -> None:
    succeed(NIGHT, day=DAY)
    assert rules(killed) == []
    assert not (killed / "monitoring" / "alerts.jsonl").exists()


def test_command_when_another_one_was_killed_then_its_success_is_not_the_end_of_that(killed: Path) -> None:
    succeed(NIGHT, day="2026-10-30")
    assert rules(killed) == [("athena night", DAY, "CommandKilled")]


def test_command_when_it_is_under_way_or_has_ended_then_it_is_not_taken_for_killed(home: Path) -> None:
    def look(**arguments: object) -> None:
        Watch(home).note_killed(AT)

    telling(NIGHT, look)(day=DAY)
    Watch(home).note_killed(AT)
    assert Findings(home).open() == []


def test_command_when_it_parks_the_home_then_no_trace_of_it_stays_in_the_parked_one(home: Path) -> None:
    parked = home.with_name("home-simulator")

    def park(**arguments: object) -> None:
        home.rename(parked)
        write_home(home, HomeRecord("online_retail_ii", date(2011, 10, 29)))

    telling(RUN, park)()
    with Watch(parked)._outbox.opened() as store:
        assert store.execute("SELECT count(*) FROM under_way").fetchone()[0] == 0


def test_command_when_there_is_no_home_yet_then_its_failure_leaves_no_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHENA_HOME", str(tmp_path / "home"))
    fail(RUN, Damaged("it is broken"))
    assert not (tmp_path / "home").exists()


def test_command_when_the_outbox_is_damaged_then_its_own_error_is_the_one_that_is_seen(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outbox_path(home).parent.mkdir()
    outbox_path(home).write_text("no database " * 100)
    fail(NIGHT, Damaged("it is broken"), day=DAY)
    assert "cannot be written down" in capsys.readouterr().err
