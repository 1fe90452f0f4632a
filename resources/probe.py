"""What this process has used so far: CPU, wall clock, peak memory, bytes asked for.

CPU is `getrusage` of the process and of the children it has waited for. Bytes are those that system calls
transferred (`rchar` and `wchar`), not those that reached the disk: a page cache that happens to be warm must
not make a step look cheaper. Reads through a memory map are therefore not counted.

`ru_maxrss` is a peak over the life of the process, of no use for a step of a run that executes in one
process. Linux can reset its high-water mark (`/proc/self/clear_refs`, about 25 µs for reset and reading, and
exact), so that is used where it is permitted; elsewhere a thread samples the resident set every 20 ms, which
misses shorter peaks. The peak is the resident set of the whole process while the step ran, the interpreter
and its libraries included.
"""

import contextlib
import os
import resource
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

SAMPLE_SECONDS = 0.02
_PROC = Path("/proc/self")
_RESET_HIGH_WATER = b"5"


@dataclass(frozen=True)
class Reading:
    """Counters at one moment; only differences mean anything.

    cpu_us: CPU time of the process and its reaped children, microseconds.
    wall_ns: monotonic clock, nanoseconds.
    bytes_read, bytes_written: bytes asked for by system calls; None where the platform does not tell.
    """

    cpu_us: int
    wall_ns: int
    bytes_read: int | None
    bytes_written: int | None


def read() -> Reading:
    """The counters of this process now."""
    bytes_read, bytes_written = _io_bytes()
    return Reading(_cpu_us(), time.perf_counter_ns(), bytes_read, bytes_written)


def _cpu_us() -> int:
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    parts = (own.ru_utime, own.ru_stime, children.ru_utime, children.ru_stime)
    return sum(round(seconds * 1_000_000) for seconds in parts)


def _io_bytes() -> tuple[int | None, int | None]:
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            counters = dict(line.split(": ") for line in (_PROC / "io").read_text().splitlines())
            return int(counters["rchar"]), int(counters["wchar"])
    return _io_bytes_elsewhere()


def _io_bytes_elsewhere() -> tuple[int | None, int | None]:
    import psutil

    counters = getattr(psutil.Process(), "io_counters", None)
    if counters is None:
        return None, None
    try:
        found = counters()
    except (psutil.Error, OSError):
        return None, None
    return int(found.read_bytes), int(found.write_bytes)


@dataclass(eq=False)
class PeakMemory:
    """The peak of one measurement, in bytes, as the watcher has seen it so far."""

    peak: int = 0


@dataclass
class _HighWaterWatcher:
    """Peaks from the kernel's high-water mark.

    The mark belongs to the process while measurements nest and overlap, so every reset first folds what
    the mark shows into all measurements that are open.
    """

    lock: threading.Lock = field(default_factory=threading.Lock)
    open: list[PeakMemory] = field(default_factory=list)

    def start(self) -> PeakMemory:
        measured = PeakMemory()
        with self.lock:
            if self.open:
                self._fold()
            (_PROC / "clear_refs").write_bytes(_RESET_HIGH_WATER)
            self.open.append(measured)
        return measured

    def stop(self, measured: PeakMemory) -> int:
        with self.lock:
            self._fold()
            self.open.remove(measured)
        return measured.peak

    def _fold(self) -> None:
        mark = _high_water_bytes()
        for measured in self.open:
            measured.peak = max(measured.peak, mark)


def _high_water_bytes() -> int:
    for line in (_PROC / "status").read_bytes().splitlines():
        if line.startswith(b"VmHWM:"):
            return int(line.split()[1]) * 1024
    raise OSError("/proc/self/status has no VmHWM line")


@dataclass
class _SamplingWatcher:
    """Peaks from a thread that looks at the resident set while any measurement is open."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    open: list[PeakMemory] = field(default_factory=list)
    thread: threading.Thread | None = None
    idle: threading.Event = field(default_factory=threading.Event)

    def start(self) -> PeakMemory:
        measured = PeakMemory(_resident_bytes())
        with self.lock:
            self.open.append(measured)
            if self.thread is None:
                self.idle = threading.Event()
                self.thread = threading.Thread(target=self._sample, args=(self.idle,), name="athena-meter", daemon=True)
                self.thread.start()
        return measured

    def stop(self, measured: PeakMemory) -> int:
        with self.lock:
            measured.peak = max(measured.peak, _resident_bytes())
            self.open.remove(measured)
            finished = self.thread if not self.open else None
            if finished is not None:
                self.thread = None
                self.idle.set()
        if finished is not None:
            finished.join()
        return measured.peak

    def _sample(self, idle: threading.Event) -> None:
        while not idle.wait(SAMPLE_SECONDS):
            resident = _resident_bytes()
            with self.lock:
                for measured in self.open:
                    measured.peak = max(measured.peak, resident)


def _resident_bytes() -> int:
    import psutil

    return int(psutil.Process().memory_info().rss)


def _can_reset_high_water() -> bool:
    if sys.platform != "linux":
        return False
    try:
        (_PROC / "clear_refs").write_bytes(_RESET_HIGH_WATER)
        _high_water_bytes()
    except OSError:
        return False
    return True


type_of_watcher = _HighWaterWatcher if _can_reset_high_water() else _SamplingWatcher
memory: _HighWaterWatcher | _SamplingWatcher = type_of_watcher()
"""The one watcher of this process: its high-water mark is shared by everything that is measured."""

if hasattr(os, "register_at_fork"):

    def _forget_parents_measurements() -> None:
        global memory
        memory = type_of_watcher()

    os.register_at_fork(after_in_child=_forget_parents_measurements)
