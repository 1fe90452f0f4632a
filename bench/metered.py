"""Runs as the meter recorded them: seconds by phase, the orchestrator being what no step used."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cost import usage
from cost.period import Month

PHASES = {
    "land_night": "land",
    "land_history": "land",
    "clean_night": "clean",
    "clean_history": "clean",
    "night_pins": "open (pins)",
    "customer_features": "features",
    "candidate": "score and explain",
    "published": "publish",
    "month_to_date": "bill",
    "tco_page": "bill",
}
"""By the step's name, or by the last word of it where the model's name comes first."""

CHECKS = "checks"
ORCHESTRATOR = "orchestrator"
ORDER = (*dict.fromkeys(PHASES.values()), CHECKS)
"""As a night reads; a step of no known phase comes after them, the orchestrator last."""


@dataclass(frozen=True)
class MeteredRun:
    """One run: wall and CPU seconds by phase, its steps, and the peak of its process's memory in bytes."""

    wall: Mapping[str, float]
    cpu: Mapping[str, float]
    steps: int
    peak_memory: float

    @property
    def total(self) -> float:
        """Wall seconds of the whole run."""
        return sum(self.wall.values())

    @property
    def total_cpu(self) -> float:
        """CPU seconds of the whole run."""
        return sum(self.cpu.values())


def last_run(path: Path) -> MeteredRun:
    """The run that the meter at `path` recorded last."""
    rows = usage.load(path, Month.of(datetime.now(UTC)))
    last = max((row for row in rows if row.step == usage.RUN_TOTAL), key=lambda row: row.started_at).run_id
    of_run = [row for row in rows if row.run_id == last]
    steps = {row.step for row in of_run if row.meter == "wall"} - {usage.RUN_TOTAL}
    (peak,) = (row.quantity for row in of_run if row.step == usage.RUN_TOTAL and row.meter == "peak_memory")
    return MeteredRun(_by_phase(of_run, "wall"), _by_phase(of_run, "cpu"), len(steps), float(peak))


def _by_phase(rows: Sequence[usage.Usage], meter: str) -> dict[str, float]:
    spent: dict[str, float] = {}
    left = 0.0
    for row in rows:
        if row.meter != meter:
            continue
        used = row.quantity / 1_000_000
        if row.step == usage.RUN_TOTAL:
            left += used
        else:
            left -= used
            spent[phase_of(row.step)] = spent.get(phase_of(row.step), 0.0) + used
    known = {phase: spent.pop(phase) for phase in ORDER if phase in spent}
    return {**known, **spent, ORCHESTRATOR: left}


def phase_of(step: str) -> str:
    """The phase of a step; one that is not known stands under its own name."""
    if step.startswith("check_"):
        return CHECKS
    return PHASES.get(step) or PHASES.get(step.rpartition("_")[2], step)
