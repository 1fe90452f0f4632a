"""Times whole processes: what a command costs from its start to its end, imports included."""

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

ATHENA = ("-m", "athena_cli")
"""Arguments of Python that are the command `athena`."""


@dataclass(frozen=True)
class Finished:
    """One process that has ended well; seconds, what it printed, and bytes of memory where somebody watched."""

    wall: float
    cpu: float
    output: str
    peak_memory: int = 0


def environment(home: Path, bytecode: Path) -> dict[str, str]:
    """The environment of a measured process, which keeps its bytecode in a folder of its own.

    So the second process finds it compiled, as on any machine, even where this one was told to write none.
    """
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "DAGSTER_HOME")}
    return {**own, "ATHENA_HOME": str(home), "PYTHONPYCACHEPREFIX": str(bytecode)}


def run(command: Sequence[str], variables: Mapping[str, str], *, watch_memory: bool = False) -> Finished:
    """Run a process to its end; one that fails ends the benchmark with its own words.

    CPU is that of the process and of those it started and waited for. watch_memory: look five times a second what
    all of them hold together; pages that they share count once.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=dict(variables))
        with MemoryWatch(process.pid, every=0.2) if watch_memory else nullcontext() as watch:
            _, status, used = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed, so its time means nothing:\n{errors.read()}")
        peak = watch.peak if watch is not None else 0
        return Finished(elapsed, used.ru_utime + used.ru_stime, output.read(), peak)


class MemoryWatch:
    """Looks at the memory of a process and all its descendants until it is left; `peak` is the most seen, in bytes."""

    def __init__(self, pid: int, *, every: float) -> None:
        self._pid = pid
        self._every = every
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self.peak = 0

    def __enter__(self) -> "MemoryWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(self._every):
            self.peak = max(self.peak, tree_memory(self._pid))


def tree_memory(pid: int) -> int:
    """Bytes that a process and its descendants hold, each shared page divided among its holders; 0 when gone."""
    import psutil

    try:
        root = psutil.Process(pid)
        family = [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return 0
    held = 0
    for process in family:
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            held += process.memory_full_info().pss
    return held


def median_wall(finished: Sequence[Finished]) -> float:
    """Median wall seconds."""
    return statistics.median(each.wall for each in finished)


def median_cpu(finished: Sequence[Finished]) -> float:
    """Median CPU seconds."""
    return statistics.median(each.cpu for each in finished)
