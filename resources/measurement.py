"""One measurement: whose work it is, what it has used, and the pauses in between."""

from dataclasses import dataclass, replace
from datetime import datetime

from resources import probe

MIB = 1024 * 1024


@dataclass(frozen=True)
class Work:
    """Whose work it is; fields as in `cost.usage`."""

    run_id: str
    step: str
    stage: str
    attempt: int = 0
    asset_key: str | None = None
    partition: str | None = None
    model: str | None = None


@dataclass(frozen=True)
class Quantities:
    """What was used: microseconds and bytes; None is not measured on this platform, or not told."""

    cpu_us: int = 0
    wall_us: int = 0
    peak_memory_bytes: int = 0
    bytes_read: int | None = None
    bytes_written: int | None = None
    rows_in: int | None = None
    rows_out: int | None = None

    def metadata(self) -> dict[str, float | int]:
        """The figures as a person wants to see them on an asset's page: seconds, MiB, bytes."""
        shown: dict[str, float | int] = {
            "cost/cpu_seconds": self.cpu_us / 1_000_000,
            "cost/wall_seconds": self.wall_us / 1_000_000,
            "cost/peak_memory_mb": round(self.peak_memory_bytes / MIB, 1),
        }
        if self.bytes_read is not None and self.bytes_written is not None:
            shown |= {"cost/bytes_read": self.bytes_read, "cost/bytes_written": self.bytes_written}
        return shown


class Measurement:
    """One measurement under way. Work may pause it while somebody else's work runs in between."""

    def __init__(self, started_at: datetime) -> None:
        self.started_at = started_at
        self._done = Quantities()
        self._rows_in: int | None = None
        self._rows_out: int | None = None
        self._memory: probe.PeakMemory | None = None
        self._since: probe.Reading | None = None
        self.resume()

    def rows(self, *, rows_in: int | None = None, rows_out: int | None = None) -> None:
        """Tell how many rows came in and went out; what is not told is not recorded."""
        self._rows_in = rows_in if rows_in is not None else self._rows_in
        self._rows_out = rows_out if rows_out is not None else self._rows_out

    def resume(self) -> None:
        """Count from now on. The memory mark is reset first so that the counters do not see it."""
        self._memory = probe.memory.start()
        self._since = probe.read()

    def pause(self) -> Quantities:
        """Stop counting; returns what has been used since counting last began."""
        if self._since is None or self._memory is None:
            return Quantities()
        now = probe.read()
        lap = Quantities(
            cpu_us=now.cpu_us - self._since.cpu_us,
            wall_us=(now.wall_ns - self._since.wall_ns) // 1_000,
            peak_memory_bytes=probe.memory.stop(self._memory),
            bytes_read=_difference(now.bytes_read, self._since.bytes_read),
            bytes_written=_difference(now.bytes_written, self._since.bytes_written),
        )
        self._since = self._memory = None
        self._done = Quantities(
            cpu_us=self._done.cpu_us + lap.cpu_us,
            wall_us=self._done.wall_us + lap.wall_us,
            peak_memory_bytes=max(self._done.peak_memory_bytes, lap.peak_memory_bytes),
            bytes_read=_sum(self._done.bytes_read, lap.bytes_read),
            bytes_written=_sum(self._done.bytes_written, lap.bytes_written),
        )
        return lap

    @property
    def used(self) -> Quantities:
        """What was used up to the last pause."""
        return replace(self._done, rows_in=self._rows_in, rows_out=self._rows_out)


def _difference(now: int | None, before: int | None) -> int | None:
    return None if now is None or before is None else now - before


def _sum(total: int | None, lap: int | None) -> int | None:
    return total if lap is None else lap + (total or 0)
