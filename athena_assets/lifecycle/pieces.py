"""Many rows in pieces: memory for one piece per thread, results in the order of the rows whatever the threads."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

ROWS = 10_000
"""About 2 MB of features as float32: what is computed from a piece stays in a core's cache."""

Result = TypeVar("Result")


def in_pieces(work: Callable[[slice], Result], rows: int, *, threads: int) -> list[Result]:
    """What `work` gives for each piece of `rows`, first to last; numpy and XGBoost leave the interpreter to others."""
    pieces = [slice(start, min(start + ROWS, rows)) for start in range(0, rows, ROWS)]
    if threads == 1 or len(pieces) < 2:
        return [work(piece) for piece in pieces]
    with ThreadPoolExecutor(min(threads, len(pieces))) as pool:
        return list(pool.map(work, pieces))
