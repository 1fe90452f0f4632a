"""Runs a night that is killed at one boundary after another, until it reaches its end.

    python dying.py <shop> <folder for copies> <night> <boundary>...

A boundary is where something becomes visible to others: right after a commit of the warehouse, right before and right
after a file is renamed into place. There the process kills itself (SIGKILL: no handler runs, nothing is tidied up).

Three stories, each on its own copy of the shop, told as one JSON document: the night `undisturbed`; `killed` at the
first boundary, run again and killed at the first one that it had not come to before, and so on to the end; and,
`alone`, killed at each boundary named on the command line and run again to its end.

A process of its own, because it forks: every night starts with everything imported, and before any library has threads.
"""

import hashlib
import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path

WROTE_MODULES = "modules.json"


class Boundaries:
    """Names the boundaries that a process passes, and kills it at the first one that is fatal.

    A name that comes again is numbered: `before latest.parquet`, `before latest.parquet (2)`.
    """

    def __init__(self, fatal: Callable[[str], bool], at: Path) -> None:
        self._fatal, self._at, self._passed = fatal, at, Counter[str]()

    def passed(self, what: str) -> None:
        self._passed[what] += 1
        name = what if self._passed[what] == 1 else f"{what} ({self._passed[what]})"
        if self._fatal(name):
            self._at.write_text(name)
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """Put a boundary behind every commit and on both sides of every rename."""
        import duckdb

        from resources import warehouse

        commit, replace = warehouse.commit, os.replace

        def committing(connection: duckdb.DuckDBPyConnection) -> None:
            commit(connection)
            self.passed(f"after a commit of {writer()}")

        def replacing(source: Path, target: Path) -> None:
            name = Path(target).name
            self.passed(f"before {name}")
            replace(source, target)
            self.passed(f"after {name}")

        warehouse.commit = committing
        os.replace = replacing  # type: ignore[assignment]  # the paths here are never descriptors


def writer() -> str:
    """The module whose transaction is being committed: the first one up the stack that only uses the warehouse."""
    frame = sys._getframe()
    while frame.f_globals["__name__"] in (__name__, "contextlib", "resources.warehouse"):
        assert frame.f_back is not None
        frame = frame.f_back
    return str(frame.f_globals["__name__"])


def main() -> None:
    shop, copies, night, alone = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3], sys.argv[4:]
    import_module("athena_cli.main")
    undisturbed = copied(shop, copies / "undisturbed")
    run_to_its_end(undisturbed, night)
    for name in json.loads((undisturbed / WROTE_MODULES).read_text()):
        import_module(name)
    story = {
        "undisturbed": visible(undisturbed),
        "killed": killed_everywhere(copied(shop, copies / "killed"), night),
        "alone": [killed_once(copied(shop, copies / str(at)), night, at) for at in alone],
    }
    sys.stdout.write(json.dumps(story) + "\n")


def killed_everywhere(shop: Path, night: str) -> list[dict[str, object]]:
    """What a reader sees after each kill, and at last after the night that reached its end."""
    seen: list[dict[str, object]] = []
    died: set[str] = set()
    while True:
        at = run_until(shop, night, fatal=lambda boundary: boundary not in died)
        died.add(at or "")
        seen.append({"at": at or "the end", "visible": visible(shop), "hidden": hidden(shop)})
        if at is None:
            return seen


def killed_once(shop: Path, night: str, fatal: str) -> dict[str, object]:
    """What a reader sees after one kill, and after the night was run again."""
    at = run_until(shop, night, fatal=lambda boundary: boundary == fatal)
    between = visible(shop)
    run_to_its_end(shop, night)
    return {"at": at, "between": between, "visible": visible(shop), "hidden": hidden(shop)}


def run_until(shop: Path, night: str, fatal: Callable[[str], bool]) -> str | None:
    """Run the night in a child that dies at a fatal boundary; returns which, or None when it came to its end."""
    at = shop / "died-at.txt"
    at.unlink(missing_ok=True)
    code = in_a_child(lambda: run_night(shop, night, Boundaries(fatal, at)))
    if code not in (0, -signal.SIGKILL):
        raise SystemExit(f"the night ended with {code} and not at a boundary")
    return at.read_text() if code else None


def run_to_its_end(shop: Path, night: str) -> None:
    if code := in_a_child(lambda: run_night(shop, night)):
        raise SystemExit(f"the night ended with {code}")


def in_a_child(body: Callable[[], int]) -> int:
    """Exit code of a forked process that runs the body; minus the signal that ended it."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(body())
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run_night(shop: Path, night: str, boundaries: Boundaries | None = None) -> int:
    """`athena night`, as its entry point runs it; returns the exit code and leaves word of what it imported."""
    from athena_cli.main import main as athena

    os.environ["ATHENA_HOME"] = str(shop / ".athena")
    sys.argv = ["athena", "night", night]
    if boundaries is not None:
        boundaries.watch()
    said = StringIO()
    try:
        with redirect_stdout(said), redirect_stderr(said):
            athena()
    except SystemExit as end:
        if end.code:
            sys.stderr.write(said.getvalue())
            return 1
    modules = [name for name, module in sys.modules.items() if getattr(module, "__file__", None)]
    (shop / WROTE_MODULES).write_text(json.dumps([name for name in modules if name != "__main__"]))
    return 0


def copied(shop: Path, copy: Path) -> Path:
    """A copy of the shop whose manifests name the copied files."""
    shutil.copytree(shop, copy)
    for manifest in (copy / ".athena" / "landing" / "deliveries").glob("*.json"):
        manifest.write_text(manifest.read_text().replace(str(shop), str(copy)))
    return copy


def visible(shop: Path) -> dict[str, str]:
    """SHA-256 of every published prediction that a reader can see."""
    folder = shop / ".athena" / "published" / "predictions"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def hidden(shop: Path) -> list[str]:
    """What lies among the published files under names that no reader looks at."""
    return sorted(path.name for path in (shop / ".athena" / "published").rglob(".*"))


if __name__ == "__main__":
    main()
