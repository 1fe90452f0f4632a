"""A disk of one's own: small, so that it can be full, and mounted by us, so that it can become read-only.

That takes a mount namespace (`unshare --map-root-user --mount`). Where it is not allowed, the limit on the size of
files stops every write of this process in the same places.
"""

import os
import resource
import shutil
import signal
import subprocess
from pathlib import Path

MEGABYTES = 192
FILLER = "filler"
IN_A_NAMESPACE = ("unshare", "--map-root-user", "--mount")
MOUNTED = "CORPUS_DISK_IS_MOUNTED"
"""Set for a program that runs in a namespace in which it may mount."""


def can_mount(folder: Path) -> bool:
    """Whether a namespace of one's own is allowed here."""
    if shutil.which("unshare") is None:
        return False
    tried = subprocess.run(
        [*IN_A_NAMESPACE, "mount", "-t", "tmpfs", "athena", folder], check=False, capture_output=True
    )
    return tried.returncode == 0


def mount(folder: Path) -> None:
    """Mount a small disk at the folder, where we may."""
    folder.mkdir(exist_ok=True)
    if MOUNTED in os.environ:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "athena", folder], check=True)
    else:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)


def fill(folder: Path) -> None:
    """Leave no byte free on the disk of a folder."""
    if MOUNTED not in os.environ:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        return
    with (folder / FILLER).open("ab", buffering=0) as filler:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while filler.write(bytes(size)):
                    pass
            except OSError:
                continue


def free(folder: Path) -> None:
    """Give the space back."""
    if MOUNTED in os.environ:
        (folder / FILLER).unlink()
    else:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def freeze(folder: Path) -> None:
    """Make the disk of a folder read-only, as a kernel does after an error."""
    if MOUNTED in os.environ:
        subprocess.run(["mount", "-o", "remount,ro", _mount_point(folder)], check=True)
    else:
        fill(folder)


def thaw(folder: Path) -> None:
    """Make it writable again."""
    if MOUNTED in os.environ:
        subprocess.run(["mount", "-o", "remount,rw", _mount_point(folder)], check=True)
    else:
        free(folder)


def _mount_point(folder: Path) -> Path:
    return next(place for place in (folder, *folder.parents) if place.is_mount())
