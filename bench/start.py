"""What a process pays before it works: loading the code location and starting the command, against `import dagster`."""

import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from bench.processes import ATHENA, environment, median_cpu, median_wall, run
from bench.table import Table, ratio, seconds

FLOOR = "import dagster (floor)"
COMMANDS: dict[str, tuple[str, ...]] = {
    FLOOR: ("-c", "import dagster"),
    "load the code location": ("-c", "import athena_assets.code_location"),
    "athena --help": (*ATHENA, "--help"),
}


def measure(home: Path, rounds: int) -> Table:
    """Every command in processes of its own, with bytecode cached and, the code location, without."""
    with tempfile.TemporaryDirectory(prefix="athena-bench-") as folder:
        cached = environment(home, Path(folder) / "bytecode")
        uncached = {**environment(home, Path(folder) / "none"), "PYTHONDONTWRITEBYTECODE": "1"}
        variants: dict[str, tuple[tuple[str, ...], Mapping[str, str]]] = {
            name: (command, cached) for name, command in COMMANDS.items()
        }
        variants["load the code location, no bytecode cached"] = (COMMANDS["load the code location"], uncached)
        for command, variables in variants.values():
            run([sys.executable, *command], variables)
        finished = {
            name: [run([sys.executable, *command], variables) for _ in range(rounds)]
            for name, (command, variables) in variants.items()
        }
    floor = finished[FLOOR]
    return Table(
        "Before any work",
        ("process", "wall s", "CPU s", "CPU / floor"),
        tuple(
            (
                name,
                seconds(median_wall(each)),
                seconds(median_cpu(each)),
                ratio(median_cpu(each), median_cpu(floor)),
            )
            for name, each in finished.items()
        ),
        (f"Whole processes; median of {rounds}.",),
    )
