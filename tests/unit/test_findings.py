"""The outbox of findings: incidents, several processes, and a file that cannot be written."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from resources.findings import Finding, Findings
from resources.outbox import OutboxUnavailable, outbox_path

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
NIGHT = "2026-10-29"
PLACE = ("orders.order_lines", NIGHT, "completeness")


def finding(rule: str = "amount.required", **changes: str) -> Finding:
    values = {
        "kind": "check", "severity": "ERROR", "asset": PLACE[0], "partition": PLACE[1], "check": PLACE[2],
        "rule": rule, "summary": f"{rule}: 3 rows, limit 0", "figure": "3", "limit": "0",
    }  # fmt: skip
    return Finding(**{**values, **changes})  # type: ignore[arg-type]


def test_finding_when_seen_again_then_it_is_the_same_incident_with_the_newest_figure(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    findings.observe([finding()], looked_at=[PLACE], at=AT)
    findings.observe([finding(figure="5", severity="WARN")], looked_at=[PLACE], at=AT + timedelta(hours=1))
    (only,) = findings.open()
    assert (only.first_seen, only.last_seen, only.times_seen) == (AT, AT + timedelta(hours=1), 2)
    assert (only.finding.figure, only.finding.severity) == ("5", "WARN")


def test_finding_when_its_place_is_looked_at_and_it_is_gone_then_only_it_is_cleared(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    elsewhere = finding(partition="2026-10-30")
    findings.observe([finding("a"), finding("b"), elsewhere], looked_at=[PLACE], at=AT)
    findings.observe([finding("b")], looked_at=[PLACE], at=AT + timedelta(hours=1))
    assert [each.finding for each in findings.open()] == [finding("b"), elsewhere]


def test_finding_when_its_place_is_not_looked_at_then_it_stays_open(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    findings.observe([finding()], looked_at=[PLACE], at=AT)
    findings.observe([], looked_at=[(PLACE[0], PLACE[1], "keys"), (PLACE[0], "", PLACE[2])], at=AT)
    assert [each.finding for each in findings.open()] == [finding()]


def test_finding_when_it_comes_back_after_it_was_cleared_then_it_is_a_new_incident(tmp_path: Path) -> None:
    findings = Findings(tmp_path)
    moments = [AT + timedelta(hours=hour) for hour in range(3)]
    findings.observe([finding()], looked_at=[PLACE], at=moments[0])
    findings.observe([], looked_at=[PLACE], at=moments[1])
    findings.observe([finding()], looked_at=[PLACE], at=moments[2])
    (again,) = findings.open()
    assert (again.first_seen, again.times_seen) == (moments[2], 1)
    first, second = findings.since(AT)
    assert (first.cleared_at, second.cleared_at) == (moments[1], None)
    assert [each.id for each in findings.since(moments[2])] == [second.id]


def test_outbox_when_nothing_was_ever_wrong_then_no_file_is_made(tmp_path: Path) -> None:
    findings = Findings(tmp_path / "home")
    findings.observe([], looked_at=[PLACE], at=AT)
    assert findings.open() == []
    assert not (tmp_path / "home").exists()


def test_outbox_when_made_then_it_is_in_wal_mode_so_that_readers_do_not_block_writers(tmp_path: Path) -> None:
    Findings(tmp_path).observe([finding()], looked_at=[], at=AT)
    with sqlite3.connect(outbox_path(tmp_path)) as store:
        assert store.execute("PRAGMA journal_mode").fetchone() == ("wal",)


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from resources.findings import Finding, Findings
for number in range(25):
    found = Finding("error", "ERROR", sys.argv[2], str(number), "error", "DiskFull", "the disk is full")
    same = Finding("error", "ERROR", "athena night", "", "athena night", "DiskFull", "the disk is full")
    Findings(Path(sys.argv[1])).observe([found, same], looked_at=[], at=datetime(2026, 10, 30, tzinfo=UTC))
"""


def test_outbox_when_four_processes_make_and_fill_it_at_once_then_no_finding_is_lost(
    tmp_path: Path, repository: Path
) -> None:
    command = [sys.executable, "-c", WRITER, str(tmp_path)]
    processes = [
        subprocess.Popen([*command, f"raw.{name}"], cwd=repository, stderr=subprocess.PIPE, text=True)
        for name in ("a", "b", "c", "d")
    ]
    assert [process.communicate()[1] for process in processes] == ["", "", "", ""]
    found = Findings(tmp_path).open()
    assert len(found) == 4 * 25 + 1
    (same,) = [each for each in found if each.finding.asset == "athena night"]
    assert same.times_seen == 100


@pytest.mark.parametrize("spoil", ["a folder", "no database"])
def test_outbox_when_it_cannot_be_written_then_the_caller_goes_on_and_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: str
) -> None:
    path = outbox_path(tmp_path)
    path.parent.mkdir()
    if spoil == "a folder":
        path.mkdir()
    else:
        path.write_text("this is not a database " * 100)
    findings = Findings(tmp_path)
    findings.observe([finding()], looked_at=[PLACE], at=AT)
    said = capsys.readouterr().err
    assert "cannot be written down" in said
    assert "amount.required: 3 rows, limit 0" in said
    findings.observe([finding()], looked_at=[PLACE], at=AT)
    assert capsys.readouterr().err == ""
    with pytest.raises(OutboxUnavailable):
        findings.open()


def test_moments_when_given_in_another_time_zone_then_they_are_kept_as_utc(tmp_path: Path) -> None:
    from zoneinfo import ZoneInfo

    Findings(tmp_path).observe([finding()], looked_at=[], at=AT.astimezone(ZoneInfo("Europe/Berlin")))
    (only,) = Findings(tmp_path).open()
    assert only.first_seen == AT
    assert only.first_seen.utcoffset() == timedelta(0)
