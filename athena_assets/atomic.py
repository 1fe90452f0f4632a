"""Files that a reader sees whole or not at all: written under another name, then renamed."""

import os
from pathlib import Path

import psutil


def temporary_beside(path: Path) -> Path:
    """A hidden name in the same folder for this process to write to before it renames it to `path`.

    What processes that were killed left behind under such names is removed.
    """
    prefix = f".{path.name}."
    for left in path.parent.glob(f"{prefix}*"):
        writer = left.name.removeprefix(prefix)
        if writer.isdigit() and not psutil.pid_exists(int(writer)):
            left.unlink(missing_ok=True)
    return path.with_name(f"{prefix}{os.getpid()}")


def replace_text(path: Path, text: str) -> None:
    """Write a small file so that a reader sees the old text or the new one, and the disk keeps it."""
    temporary = temporary_beside(path)
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
