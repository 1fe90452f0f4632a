"""Processes that work side by side, and give back in order."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

from athena_assets.errors import AthenaError

Piece = TypeVar("Piece")
Result = TypeVar("Result")


class SimulatorWorkerLost(AthenaError):
    """A process that simulated a block of customers was ended from outside."""


@dataclass(frozen=True)
class Workers:
    """Who does the work: the processes of an executor, or this process where there is none."""

    executor: Executor | None

    def each(self, work: Callable[[Piece], Result], pieces: Iterable[Piece]) -> Iterator[Result]:
        """Do `work` to every piece; the results come in the order of the pieces.

        What travels between processes must be picklable. What a piece raises is raised here.
        """
        return map(work, pieces) if self.executor is None else self.executor.map(work, pieces)


@contextmanager
def worker_pool(workers: int) -> Iterator[Workers]:
    """`workers` processes, started afresh so that no thread or lock of this one is copied; with one, this process.

    On leaving, what has not begun is left undone. Raises `SimulatorWorkerLost`.
    """
    if workers == 1:
        yield Workers(None)
        return
    executor = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        yield Workers(executor)
    except BrokenProcessPool as error:
        raise SimulatorWorkerLost(
            "a process of the simulator was ended before it was done",
            expected=f"room for {workers} processes of about 1.3 GB each",
            found=str(error),
            next_command="run it again with more memory, or with ATHENA_THREADS=1",
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)
