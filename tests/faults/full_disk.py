"""Fills the disk of a home for real, at three moments, and tells what a command said and what it left.

    python full_disk.py <shop> <folder to mount at> <night>

The disk is a small tmpfs, which takes a mount namespace of one's own (`unshare --map-root-user --mount`); where that is
not allowed, the limit on the size of files stops every write of the process in the same place. Moments: registering a
file that has to be converted, committing to the warehouse, publishing. After each the disk is freed and the same
command runs again. Prints one JSON document.
"""

import gc
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from dying import copied, hidden, visible

MEGABYTES = 64
FILLER = "filler"


class Mounted:
    """A tmpfs; full once a filler has taken what is left of it."""

    kind = "tmpfs"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "athena", str(folder)], check=True)

    def fill(self) -> None:
        with (self.folder / FILLER).open("ab", buffering=0) as filler:
            for size in (1 << 20, 1 << 12, 1):
                try:
                    while filler.write(bytes(size)):
                        pass
                except OSError:
                    continue

    def free(self) -> None:
        (self.folder / FILLER).unlink()


class Limited:
    """Any folder; full while this process may not write a byte to a file."""

    kind = "limit"

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def free(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


Disk = Mounted | Limited


def main() -> None:
    shop, folder, night = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    disk: Disk = Mounted(folder) if os.environ.get("FULL_DISK") == "tmpfs" else Limited(folder)
    from athena_assets.predictions import assets as predictions
    from resources import warehouse

    moments: dict[str, Callable[[], AbstractContextManager[None]]] = {
        "registering": lambda: filled(disk),
        "committing": lambda: filled_before(disk, warehouse, "commit"),
        "publishing": lambda: filled_before(disk, predictions, "publish_night"),
    }
    told = {}
    for moment, full in moments.items():
        copy = copied(shop, folder / moment)
        load = ("load", "--night", night, str(copy / "nights" / f"{night}.csv"))
        arguments = load if moment == "registering" else ("night", night)
        if arguments is not load:
            command(copy, *load)
        before = visible(copy), manifests(copy)
        with full():
            first = command(copy, *arguments)
        told[moment] = {
            "first": first,
            "unchanged": (visible(copy), manifests(copy)) == before,
            "hidden": hidden(copy),
            "nights": nights_in_warehouse(copy),
            "again": command(copy, *arguments),
            "night": command(copy, "night", night) if arguments is load else None,
            "visible": visible(copy),
        }
        shutil.rmtree(copy)
        # What the commands have left open keeps the disk's space until it is collected; a process of their own ends.
        gc.collect()
    sys.stdout.write(json.dumps({"disk": disk.kind, **told}) + "\n")


@contextmanager
def filled(disk: Disk) -> Iterator[None]:
    """The disk is full while the body runs."""
    disk.fill()
    try:
        yield
    finally:
        disk.free()


@contextmanager
def filled_before(disk: Disk, module: Any, function: str) -> Iterator[None]:
    """The disk fills up when the body first calls that function of the module, and is freed after the body."""
    original, full = getattr(module, function), []

    def filling(*arguments: Any, **named: Any) -> Any:
        if not full:
            disk.fill()
            full.append(True)
        return original(*arguments, **named)

    setattr(module, function, filling)
    try:
        yield
    finally:
        setattr(module, function, original)
        if full:
            disk.free()


def command(shop: Path, *arguments: str) -> tuple[int, str]:
    """Exit code and standard error of a command, as its entry point runs it."""
    from athena_cli.main import main as athena

    os.environ["ATHENA_HOME"] = str(shop / ".athena")
    sys.argv = ["athena", *arguments]
    out, err = StringIO(), StringIO()
    try:
        with redirect_stdout(out), redirect_stderr(err):
            athena()
    except SystemExit as end:
        return int(end.code or 0), err.getvalue()
    return 0, err.getvalue()


def manifests(shop: Path) -> list[str]:
    return sorted(str(path.relative_to(shop)) for path in (shop / ".athena" / "landing").rglob("*") if path.is_file())


def nights_in_warehouse(shop: Path) -> list[str]:
    import duckdb

    with duckdb.connect(str(shop / ".athena" / "warehouse.duckdb"), read_only=True) as connection:
        return [
            str(night) for (night,) in connection.execute("SELECT DISTINCT night FROM predictions.churn").fetchall()
        ]


if __name__ == "__main__":
    main()
