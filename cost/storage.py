"""Storage: what lies on disk, at the moments somebody looked.

A snapshot is complete: what it does not list was not there. Bytes count from the snapshot that first saw
them until the one that no longer does; between two looks they are taken as unchanged. What nobody looked at
costs nothing here, so the nightly snapshot is part of the night.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cost.period import require_utc
from cost.usage import Usage

MODEL_FOLDERS = (("registry", "models"), ("published", "predictions"))
"""Folders of the home whose children are one model each."""

GROUPS = {
    ("warehouse.duckdb",): "feature store",
    ("warehouse.duckdb.wal",): "feature store",
    ("landing",): "training and evaluation data",
    ("registry", "models"): "artifacts",
    ("registry", "artifacts"): "artifacts",
    ("registry",): "tracking logs",
    ("published", "predictions"): "prediction logs",
    ("published",): "reports",
    ("dagster",): "tracking logs",
    ("cost",): "tracking logs",
}
"""Storage group of a path below the home; the longest prefix wins, anything else is `other`."""


@dataclass(frozen=True, order=True)
class StoredItem:
    """Bytes of one thing. key: `group/...` below the home; model: None when shared."""

    key: str
    bytes_stored: int
    model: str | None = None


@dataclass(frozen=True)
class StorageSnapshot:
    """Everything stored at `taken_at` (UTC)."""

    taken_at: datetime
    items: tuple[StoredItem, ...]

    def __post_init__(self) -> None:
        require_utc(self.taken_at)


def look(home: Path, taken_at: datetime) -> StorageSnapshot:
    """Measure the files below `home`: one item per group and model, apparent sizes in bytes."""
    sizes: dict[tuple[str, str | None], int] = {}
    for path in sorted(home.rglob("*")):
        if path.is_symlink():
            continue
        try:
            size = path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # a write-ahead log or a temporary file that another process has just removed
        if size:
            key = _classify(path.relative_to(home).parts)
            sizes[key] = sizes.get(key, 0) + size
    items = (StoredItem(key, size, model) for (key, model), size in sizes.items())
    return StorageSnapshot(taken_at, tuple(sorted(items, key=lambda item: (item.key, item.model or ""))))


def _classify(parts: Sequence[str]) -> tuple[str, str | None]:
    model = parts[2] if len(parts) > 3 and tuple(parts[:2]) in MODEL_FOLDERS else None
    for length in (2, 1):
        group = GROUPS.get(tuple(parts[:length]))
        if group is not None:
            return (f"{group}/{model}" if model else group), model
    return "other", None


def group_of(key: str) -> str:
    """The storage group of an item's key."""
    return key.split("/", 1)[0]


def snapshots(rows: Iterable[Usage]) -> list[StorageSnapshot]:
    """The snapshots recorded in the usage store, in order of time."""
    found: dict[datetime, list[StoredItem]] = {}
    for row in rows:
        if row.meter == "stored_bytes" and row.asset_key is not None:
            found.setdefault(row.started_at, []).append(StoredItem(row.asset_key, row.quantity, row.model))
    return [StorageSnapshot(taken_at, tuple(sorted(found[taken_at]))) for taken_at in sorted(found)]
