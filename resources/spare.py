"""A spare place for a small file whose own disk is full or read-only: the machine's temporary folder.

An alert about a full disk must not be lost because the disk is full. The file moves to the spare place with what it
holds, is used there by every process of this machine and user, and moves back as soon as its own place can be written.
"""

import hashlib
import os
import shutil
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path

from filelock import FileLock

LEAST_FREE_BYTES = 1_000_000
"""Below this a disk is as good as full: the file and its log may grow by some hundred kilobytes."""

BESIDE = ("-wal",)
"""What SQLite keeps beside a file and has not yet written into it."""


def place_of(home: Path) -> Path:
    """The spare folder of a home; another user's is not touched."""
    name = hashlib.sha256(str(home.absolute()).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"athena-{os.getuid()}-{name}"


def choose(own: Path, spare: Path) -> Path:
    """The place to use now: its own, or the spare one while its own cannot be written; the file is moved as needed.

    Raises `OSError` where neither place can be written, or where the spare folder is not this user's.
    """
    writable = can_be_written(own.parent)
    if writable and not spare.exists():
        return own
    _make_private(spare.parent)
    with FileLock(spare.with_suffix(".lock")):
        if writable and spare.exists():
            _move(spare, own)
        elif not writable and not spare.exists() and own.exists():
            _copy(own, spare)
    return own if writable else spare


def can_be_written(folder: Path) -> bool:
    """Whether there is room in a folder, or where it would be made, and this user may write there."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return os.access(there, os.W_OK) and shutil.disk_usage(there).free >= LEAST_FREE_BYTES


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.is_symlink() or folder.stat().st_uid != os.getuid():
        raise PermissionError(f"{folder} is another user's")


def _copy(source: Path, target: Path) -> None:
    """Copy a database at rest; the file itself comes last, because its being there is what counts."""
    for suffix in (*BESIDE, ""):
        beside = source.with_name(source.name + suffix)
        if beside.exists():
            temporary = target.with_name(f"{target.name}{suffix}.new")
            shutil.copyfile(beside, temporary)
            os.replace(temporary, target.with_name(target.name + suffix))


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(source, timeout=10, isolation_level=None)) as store:
        # Nobody writes while it is moved.
        store.execute("BEGIN IMMEDIATE")
        for suffix in ("-wal", "-shm"):
            # They belong to the file that is replaced.
            target.with_name(target.name + suffix).unlink(missing_ok=True)
        _copy(source, target)
        for suffix in ("", "-wal", "-shm"):
            source.with_name(source.name + suffix).unlink(missing_ok=True)
