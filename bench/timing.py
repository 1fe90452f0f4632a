"""Times several variants of one piece of work beside each other, so that a noisy machine strikes all alike."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.table import seconds


@dataclass(frozen=True)
class Timing:
    """Wall and CPU seconds of every round of one variant; CPU is that of all threads of this process."""

    wall: tuple[float, ...]
    cpu: tuple[float, ...]

    @property
    def median(self) -> float:
        """Median wall seconds."""
        return statistics.median(self.wall)

    @property
    def median_cpu(self) -> float:
        """Median CPU seconds."""
        return statistics.median(self.cpu)

    @property
    def spread(self) -> str:
        """Fastest and slowest round, so that a reader sees how noisy the machine was."""
        return f"{seconds(min(self.wall))}-{seconds(max(self.wall))}"


def alternate(variants: Mapping[str, Callable[[], object]], rounds: int, *, warm_up: bool = True) -> dict[str, Timing]:
    """Run every variant once in each round, in turn; with `warm_up` once before that, untimed."""
    wall: dict[str, list[float]] = {name: [] for name in variants}
    cpu: dict[str, list[float]] = {name: [] for name in variants}
    if warm_up:
        for work in variants.values():
            work()
    for _ in range(rounds):
        for name, work in variants.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            work()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - cpu_started)
    return {name: Timing(tuple(wall[name]), tuple(cpu[name])) for name in variants}
