"""Times whole processes: what a command costs from its start to its end, imports included."""

import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ATHENA = ("-c", "from athena_cli.main import main; main()")
"""Arguments of Python that are the command `athena`."""


@dataclass(frozen=True)
class Finished:
    """One process that has ended well; seconds, and what it printed."""

    wall: float
    cpu: float
    output: str


def environment(home: Path, bytecode: Path) -> dict[str, str]:
    """The environment of a measured process, which keeps its bytecode in a folder of its own.

    So the second process finds it compiled, as on any machine, even where this one was told to write none.
    """
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "DAGSTER_HOME")}
    return {**own, "ATHENA_HOME": str(home), "PYTHONPYCACHEPREFIX": str(bytecode)}


def run(command: Sequence[str], variables: Mapping[str, str]) -> Finished:
    """Run a process to its end; one that fails ends the benchmark with its own words."""
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors, env=dict(variables))
        _, status, used = os.wait4(process.pid, 0)
        elapsed = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed, so its time means nothing:\n{errors.read()}")
        return Finished(elapsed, used.ru_utime + used.ru_stime, output.read())


def median_wall(finished: Sequence[Finished]) -> float:
    """Median wall seconds."""
    return statistics.median(each.wall for each in finished)


def median_cpu(finished: Sequence[Finished]) -> float:
    """Median CPU seconds."""
    return statistics.median(each.cpu for each in finished)
