"""Tells a full disk from every other failure: DuckDB, SQLite and the operating system each say it in their own way."""

import errno
import shutil
from pathlib import Path

from athena_assets.errors import AthenaError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""No space, no quota, or beyond the size that this process may write."""

WORDS = ("no space left", "disk is full", "disk full", "could not write", "file too large")
NEXT_TO_NOTHING = 1_000_000
"""Bytes below which a disk is full to SQLite, which says no more than "disk I/O error"."""


class DiskFull(AthenaError):
    """The disk that holds the home is full; what was under way left nothing behind."""


def is_full(error: BaseException, folder: Path) -> bool:
    """Whether an error is a full disk's, met while writing in `folder`."""
    text = str(error).lower()
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    if "disk i/o error" in text and shutil.disk_usage(folder).free < NEXT_TO_NOTHING:
        return True
    return any(words in text for words in WORDS)


def disk_full(error: BaseException, folder: Path) -> DiskFull:
    """The named error of a full disk."""
    return DiskFull(
        "the disk is full; what was under way was undone, and what was published before stays as it is",
        expected=f"free space in {folder}",
        found=str(error).splitlines()[0],
        next_command="free space on that disk, then run the same command again",
    )
