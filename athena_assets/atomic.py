"""Files that a reader sees whole or not at all: written under another name, then renamed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A hidden name in the same folder to write to; at the end the file is flushed to the disk and renamed to `path`.

    Where the body fails nothing is left. What processes that were killed left behind under such names is removed.
    """
    prefix = f".{path.name}."
    for left in path.parent.glob(f"{prefix}*"):
        writer = left.name.removeprefix(prefix)
        if writer.isdigit() and not psutil.pid_exists(int(writer)):
            left.unlink(missing_ok=True)
    temporary = path.with_name(f"{prefix}{os.getpid()}")
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace_text(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old text or the new one, and the disk keeps it."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
