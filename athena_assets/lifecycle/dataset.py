"""Labelled snapshots as arrays, with exact types, a fixed order and a hash."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.pieces import in_pieces

if TYPE_CHECKING:
    import pyarrow as pa

FloatArray = NDArray[np.float64]
Matrix = NDArray[np.float32]
"""Shape (rows, features): what trees and the portable model read; nulls are NaN."""


class InvalidTrainingData(AthenaError):
    """A table cannot be trained on or scored; names the column and what is wrong with it."""


def to_matrix(table: "pa.Table", features: Sequence[str], *, threads: int = 1) -> Matrix:
    """The named columns as float32, nulls as NaN, booleans as 0 and 1; raises `InvalidTrainingData`."""
    import pyarrow as pa

    columns = []
    for name in features:
        if name not in table.column_names:
            raise InvalidTrainingData(
                f"feature column {name} is missing", expected=name, found=", ".join(table.column_names)
            )
        column = table.column(name)
        if not (pa.types.is_boolean(column.type) or _is_number(column.type)):
            raise InvalidTrainingData(
                f"feature column {name} is no number", expected="a number or a boolean", found=str(column.type)
            )
        columns.append(column)
    matrix = np.empty((table.num_rows, len(features)), dtype=np.float32)

    def fill(rows: slice) -> None:
        # Piece by piece, so that a row's line of memory is still in the cache when its next column comes.
        for position, column in enumerate(columns):
            part = column.slice(rows.start, rows.stop - rows.start)
            if pa.types.is_boolean(part.type):
                part = part.cast(pa.int8())
            matrix[rows, position] = part.cast(pa.float64()).to_numpy()

    in_pieces(fill, table.num_rows, threads=threads)
    if np.isinf(matrix).any():
        name = features[int(np.argwhere(np.isinf(matrix))[0, 1])]
        raise InvalidTrainingData(f"feature column {name} holds an infinite value", expected="finite or null")
    return matrix


def _is_number(kind: "pa.DataType") -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


@dataclass(frozen=True, eq=False)
class Dataset:
    """Stacked snapshots, ordered by (as_of, customer_id); equal only to itself.

    as_of: datetime64[us] (rows,); customer_id: object (rows,); label: float64 (rows,), 0 or 1;
    matrix: (rows, features).
    """

    features: tuple[str, ...]
    as_of: NDArray[np.datetime64]
    customer_id: NDArray[np.object_]
    label: FloatArray
    matrix: Matrix

    @cached_property
    def snapshots(self) -> tuple[datetime, ...]:
        """The distinct `as_of`, ascending."""
        return tuple(value.astype(object) for value in np.unique(self.as_of))

    def __len__(self) -> int:
        return len(self.label)

    def column(self, feature: str) -> FloatArray:
        """One feature as float64 (rows,)."""
        return self.matrix[:, self.features.index(feature)].astype(np.float64)

    def at(self, *snapshots: datetime) -> "Dataset":
        """Only the rows of these snapshots; raises `InvalidTrainingData` for one that is not there."""
        missing = sorted(set(snapshots) - set(self.snapshots))
        if missing:
            raise InvalidTrainingData(
                f"the training table has no snapshot {missing[0]:%Y-%m-%d}",
                expected=", ".join(f"{day:%Y-%m-%d}" for day in snapshots),
                found=", ".join(f"{day:%Y-%m-%d}" for day in self.snapshots),
            )
        keep = np.isin(self.as_of, np.array(snapshots, dtype="datetime64[us]"))
        return self._rows(keep)

    def thinned(self, maximum_rows: int) -> "Dataset":
        """All rows of as many customers as fit, chosen by a hash of their id; at least one customer's.

        The hash is another than that of `training_set`, so that a thinned sample is thinned evenly.
        """
        if len(self) <= maximum_rows:
            return self
        customers, position, rows = np.unique(self.customer_id, return_inverse=True, return_counts=True)
        order = np.argsort([hashlib.sha256(name.encode()).digest()[:8] for name in customers], kind="stable")
        count = max(1, int(np.searchsorted(np.cumsum(rows[order]), maximum_rows, side="right")))
        chosen = np.zeros(len(customers), dtype=bool)
        chosen[order[:count]] = True
        return self._rows(chosen[position])

    def _rows(self, keep: NDArray[np.bool_]) -> "Dataset":
        return Dataset(self.features, self.as_of[keep], self.customer_id[keep], self.label[keep], self.matrix[keep])

    @cached_property
    def groups(self) -> NDArray[np.int64]:
        """Position of each row's snapshot in `snapshots`, (rows,)."""
        return np.unique(self.as_of, return_inverse=True)[1].astype(np.int64)

    def sha256(self) -> str:
        """Hash of names, keys, labels and values: equal data, equal hash, whatever the order of arrival."""
        digest = hashlib.sha256("\x1f".join(self.features).encode())
        digest.update(self.as_of.astype("datetime64[us]").astype("<i8").tobytes())
        digest.update("\x1f".join(self.customer_id.tolist()).encode())
        digest.update(self.label.astype("<f8").tobytes())
        digest.update(np.where(np.isnan(self.matrix), np.float32(np.nan), self.matrix).astype("<f4").tobytes())
        return digest.hexdigest()


def _keys(table: "pa.Table") -> tuple[NDArray[np.datetime64], NDArray[np.object_]]:
    import pyarrow as pa

    as_of = table.column("as_of").cast(pa.timestamp("us")).to_numpy()
    return as_of, table.column("customer_id").to_numpy(zero_copy_only=False)


def dataset_of(table: "pa.Table", features: Sequence[str]) -> Dataset:
    """A training table (`customer_id`, `as_of`, `label`, features) as a `Dataset`; raises `InvalidTrainingData`."""
    import pyarrow as pa

    for name in ("customer_id", "as_of", "label"):
        if name not in table.column_names:
            raise InvalidTrainingData(f"column {name} is missing", expected=name, found=", ".join(table.column_names))
        if table.column(name).null_count:
            raise InvalidTrainingData(
                f"column {name} holds nulls", expected="none", found=str(table.column(name).null_count)
            )
    as_of, customers = _keys(table)
    later = (as_of[1:] > as_of[:-1]) | ((as_of[1:] == as_of[:-1]) & (customers[1:] > customers[:-1]))
    if not later.all():
        table = table.sort_by([("as_of", "ascending"), ("customer_id", "ascending")])
        as_of, customers = _keys(table)
    label = table.column("label").cast(pa.int8()).to_numpy().astype(np.float64)
    if not np.isin(label, (0.0, 1.0)).all():
        raise InvalidTrainingData("column label", expected="0 or 1", found=str(sorted(set(label.tolist()))))
    twice = (as_of[1:] == as_of[:-1]) & (customers[1:] == customers[:-1])
    if twice.any():
        position = int(np.flatnonzero(twice)[0])
        raise InvalidTrainingData(
            f"customer {customers[position]} stands twice in the snapshot {str(as_of[position])[:10]}",
            expected="one row per customer and snapshot",
        )
    return Dataset(tuple(features), as_of, customers, label, to_matrix(table, features))
