"""How long something would take: what the meter of this home saw of the same work before."""

from dataclasses import dataclass
from pathlib import Path
from statistics import median

from cost.usage import walls_of_runs, walls_of_step

MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Minutes:
    """A prediction of wall time. `each_seconds` is the median of `measured` past ones; None where there was none."""

    of: str
    count: int
    measured: int
    each_seconds: float | None

    @property
    def minutes(self) -> float | None:
        """All of it, in minutes."""
        return None if self.each_seconds is None else round(self.count * self.each_seconds / 60, 2)

    def sentence(self) -> str:
        """For a person."""
        if self.minutes is None or self.each_seconds is None:
            return f"minutes unknown: no {self.of} measured in this home yet"
        rate = f"{self.each_seconds:.3g} s, the median of {self.measured} {self.of} in this home"
        return f"about {self.minutes:g} minutes: {self.count} times {rate}"


def minutes_of_nights(usage: Path, model: str, nights: int) -> Minutes:
    """Of running nights: the median wall of past runs that published the model's predictions of a night."""
    return _predicted("night runs", nights, walls_of_runs(usage, f"predictions/{model}"))


def minutes_of_checks(usage: Path, address: str, partitions: int) -> Minutes:
    """Of judging partitions of a table again: the median wall of its check step, starting a run aside."""
    step = f"check_{address.replace('.', '_')}"
    return _predicted(f"evaluations of {address}", partitions, walls_of_step(usage, step))


def _predicted(of: str, count: int, walls: list[int]) -> Minutes:
    return Minutes(of, count, len(walls), round(median(walls) / MICROSECONDS, 3) if walls else None)
