"""What consumers have in their hands: the night that is up, and whether a later one was refused.

`published/status/<model>.json` stands beside the predictions and says it to whoever reads them. Its age is that of
`as_of`; it holds no reading of a clock, so that the same state gives the same bytes.
"""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path

from athena_assets.atomic import replace_text
from athena_assets.errors import AthenaError
from athena_assets.nights import Night
from athena_assets.predictions.publish import LATEST, night_of
from resources.findings import Findings, RecordedFinding

STATUS = "status"


@dataclass(frozen=True)
class Status:
    """The published predictions of one model."""

    model: str
    night: Night | None
    """The night that is up; None where nothing can be read."""
    refused: Night | None = None
    """The first later night that was refused: since then the predictions are stale."""
    reason: str = ""
    """What refused it."""

    @property
    def is_stale(self) -> bool:
        """Whether a later night was refused."""
        return self.refused is not None

    def age(self, now: datetime) -> str:
        """Since `as_of`, in days and hours; now: on the retailer's wall."""
        if self.night is None:
            return "–"
        days, hours = divmod(int((now - self.night.as_of).total_seconds() // 3600), 24)
        return f"{days} d {hours} h" if days else f"{hours} h"

    def sentence(self, now: datetime) -> str:
        """For a person."""
        if self.night is None:
            return f"{self.model}: nothing has been published yet"
        said = f"{self.model} of {self.night.key}, {self.age(now)} old"
        return f"{said}, stale since night {self.refused.key} was refused: {self.reason}" if self.refused else said

    def document(self) -> dict[str, str | None]:
        """For a program; `stale_since` is when the refused night was due, on the retailer's wall."""
        return {
            "model": self.model,
            "state": "stale" if self.is_stale else "current",
            "night": self.night.key if self.night else None,
            "as_of": self.night.as_of.isoformat() if self.night else None,
            "stale_since": self.refused.cutoff.isoformat() if self.refused else None,
            "refused_night": self.refused.key if self.refused else None,
            "reason": self.reason or None,
        }


def status_of(published: Path, model: str, open_findings: Iterable[RecordedFinding]) -> Status:
    """What is up, held against what is wrong now.

    published: the folder `published/`. open_findings: those that block are told from those that inform here.
    """
    up = night_of(published / "predictions" / model / LATEST)
    refusals: list[tuple[date, datetime, str]] = []
    for each in open_findings:
        night = _night(each.finding.partition)
        if each.finding.severity == "ERROR" and night is not None and (up is None or night > up):
            refusals.append((night, each.first_seen, each.finding.summary))
    if up is None or not refusals:
        return Status(model, Night(up) if up else None)
    night, _, reason = min(refusals)
    return Status(model, Night(up), Night(night), reason)


def mark_published(published: Path, open_findings: Iterable[RecordedFinding]) -> list[Status]:
    """Write the status of every model that has published; returns them."""
    findings = list(open_findings)
    models = sorted(path.parent.name for path in (published / "predictions").glob(f"*/{LATEST}"))
    statuses = [status_of(published, model, findings) for model in models]
    for status in statuses:
        path = published / STATUS / f"{status.model}.json"
        text = json.dumps(status.document(), indent=1) + "\n"
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, text)
    return statuses


def mark_home(home: Path, published: Path) -> None:
    """Write the status of every model by what is open in the home; never a reason for anything else to fail."""
    with suppress(AthenaError, OSError):
        mark_published(published, Findings(home).open())


def _night(partition: str) -> date | None:
    """The day of a partition; None for none. A month begins before its nights, so it never stands for one."""
    try:
        return Night.parse(partition).day
    except AthenaError:
        return None
