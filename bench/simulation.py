"""The simulated retailer at a size: simulated, written and registered by `athena simulate` in a process of its own.

Before that the same retailer is made with one, two and three processes at a small size: the digests must be equal.
"""

import hashlib
import sys
import tempfile
from pathlib import Path

from athena_assets.sources.landing import Landing
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.retailer import simulate
from bench.processes import ATHENA, environment, run
from bench.retailer import temporary_home
from bench.table import Table, mebibytes, seconds

PURCHASES_PER_YEAR = 13.5
"""With two years of history some 15 orders of every customer who ever was one: 30 million of 2.1 million."""
NIGHTS = 3
BLOCKS_APART = SimulatorParameters(customers=150_000, history_days=60, nights=2)
"""Three blocks, so that three processes have something to share."""
GIGABYTE = 1024**3


def measure(customers: int) -> list[Table]:
    """Returns what it took and what there is then, and the digests by the number of processes."""
    with temporary_home() as home, tempfile.TemporaryDirectory(prefix="athena-bench-") as bytecode:
        command = ("simulate", "--customers", str(customers), "--nights", str(NIGHTS))
        finished = run(
            [sys.executable, *ATHENA, *command, "--purchases-per-year", str(PURCHASES_PER_YEAR)],
            environment(home, Path(bytecode)),
            watch_memory=True,
        )
        files = [file for delivery in Landing.of(home).deliveries() for file in delivery.files]
        rows = {table: sum(file.rows for file in files if file.table == table) for table in ("orders", "order_lines")}
        delivered = sum(Path(file.path).stat().st_size for file in files)
        digest = digest_of(home / "landing" / "simulator")
    done = Table(
        "A retailer simulated, written and registered",
        ("customers", "orders", "lines", "files", "GiB", "wall s", "CPU s", "peak MiB of all processes"),
        (
            (
                f"{customers:,}",
                f"{rows['orders']:,}",
                f"{rows['order_lines']:,}",
                str(len(files)),
                f"{delivered / GIGABYTE:.2f}",
                seconds(finished.wall),
                seconds(finished.cpu),
                mebibytes(finished.peak_memory),
            ),
        ),
        (f"SHA-256 over all delivered files {digest}; two years and {NIGHTS} nights, the whole command.",),
    )
    return [_equality(), done]


def digest_of(folder: Path) -> str:
    """One SHA-256 over the names and bytes of all files below a folder."""
    whole = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        whole.update(path.relative_to(folder).as_posix().encode() + content)
    return whole.hexdigest()


def _equality() -> Table:
    rows = []
    for workers in (1, 2, 3):
        with tempfile.TemporaryDirectory(prefix="athena-bench-") as folder:
            simulate(BLOCKS_APART, Path(folder) / "landing", Path(folder) / "truth", workers=workers)
            rows.append((str(workers), digest_of(Path(folder))))
    if len({digest for _, digest in rows}) != 1:
        raise SystemExit(f"the number of processes changes what is simulated: {rows}")
    return Table(
        "The same seed with other numbers of processes",
        ("processes", "SHA-256 over deliveries and truth"),
        tuple(rows),
        (f"{BLOCKS_APART.customers:,} customers, {BLOCKS_APART.days} days.",),
    )
