"""The outbox while the home's own disk cannot be written: nothing is lost on the way out, and none on the way back."""

import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from resources import spare
from resources.findings import Finding, Findings
from resources.outbox import OutboxUnavailable, outbox_path

AT = datetime(2026, 10, 30, 1, 0, tzinfo=UTC)
MORE_THAN_ANY_DISK_HAS = 1 << 80


def found(rule: str) -> Finding:
    return Finding("error", "ERROR", "raw.order_lines", "2026-10-29", rule, rule, f"{rule} happened")


def rules(home: Path) -> list[str]:
    return [each.finding.rule for each in Findings(home).open()]


@pytest.fixture
def fill(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """Make every disk too full for the outbox's own place, or give the space back."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return lambda full: monkeypatch.setattr(spare, "LEAST_FREE_BYTES", MORE_THAN_ANY_DISK_HAS if full else 1_000_000)


def observe(home: Path, rule: str) -> None:
    Findings(home).observe([found(rule)], looked_at=[], at=AT)


def test_outbox_when_the_disk_fills_up_and_is_freed_then_every_finding_is_kept_in_one_place(
    tmp_path: Path, fill: Callable[[bool], None]
) -> None:
    home = tmp_path / "home"
    observe(home, "before")
    own = outbox_path(home).read_bytes()
    fill(True)
    observe(home, "while")
    assert outbox_path(home).read_bytes() == own, "a full disk was written to"
    assert rules(home) == ["before", "while"]
    assert spare.place_of(home).stat().st_mode & 0o077 == 0
    fill(False)
    assert rules(home) == ["before", "while"]
    assert not (spare.place_of(home) / outbox_path(home).name).exists()
    observe(home, "after")
    assert rules(home) == ["before", "while", "after"]


def test_outbox_when_the_first_thing_wrong_is_the_full_disk_then_it_is_kept(
    tmp_path: Path, fill: Callable[[bool], None]
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    fill(True)
    observe(home, "DiskFull")
    assert not (home / "monitoring").exists()
    assert rules(home) == ["DiskFull"]
    fill(False)
    assert rules(home) == ["DiskFull"]
    assert outbox_path(home).exists()


def test_outbox_when_two_homes_are_full_then_they_do_not_share_a_place(
    tmp_path: Path, fill: Callable[[bool], None]
) -> None:
    fill(True)
    observe(tmp_path / "one", "DiskFull")
    assert rules(tmp_path / "other") == []


def test_outbox_when_the_spare_place_is_a_link_to_elsewhere_then_it_is_not_followed(
    tmp_path: Path, fill: Callable[[bool], None]
) -> None:
    home, elsewhere = tmp_path / "home", tmp_path / "elsewhere"
    elsewhere.mkdir()
    observe(home, "before")
    spare.place_of(home).symlink_to(elsewhere)
    fill(True)
    with pytest.raises(OutboxUnavailable, match="another user's"):
        rules(home)
    assert list(elsewhere.iterdir()) == []
