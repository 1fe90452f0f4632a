"""What the features looked like when a model was trained, and how far a night has moved from it.

The profile goes with the version (`profile.json`), so that a night is held against its own champion. The distance is
the population stability index over ten bins with equal shares of the training rows, and one more for nulls:

    PSI = sum over bins of (q - p) * ln(q / p)

How far a feature usually moves is known from training too: the largest distance of one of its snapshots from all of
them, which a season or a growing history makes large. Below a thousand rows a distance is mostly noise, so nothing is
said of fewer (docs/decisions/0023-drift.md).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from athena_assets.lifecycle.dataset import Dataset, FloatArray

if TYPE_CHECKING:
    import duckdb

BINS = 10
MINIMUM_ROWS = 1_000
EMPTY = 0.5
"""Rows that an empty bin counts as: a share of exactly 0 would make the distance infinite."""


@dataclass(frozen=True)
class Histogram:
    """Rows per bin: up to and including each edge, above the last one, and null."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    nulls: int

    @property
    def rows(self) -> int:
        """All rows, nulls included."""
        return sum(self.counts) + self.nulls


@dataclass(frozen=True)
class FeatureProfile:
    """One feature in the training rows, and the largest distance of one snapshot of them from all."""

    histogram: Histogram
    usual: float


Profile = Mapping[str, FeatureProfile]
"""What each feature looked like."""


def profile_of(data: Dataset, features: Sequence[str], *, threads: int = 1) -> Profile:
    """The profile of these features over the training rows, snapshot by snapshot; the threads share the features."""

    def of(name: str) -> FeatureProfile:
        values = data.column(name)
        edges = edges_of(values)
        bins = len(edges) + 2
        places = data.groups * bins + _bins(values, edges)
        counts = np.bincount(places, minlength=len(data.snapshots) * bins).reshape(-1, bins)
        whole = _histogram(edges, counts.sum(axis=0))
        return FeatureProfile(whole, max(psi(whole, _histogram(edges, each)) for each in counts))

    with ThreadPoolExecutor(threads) as pool:
        return dict(zip(features, pool.map(of, features), strict=True))


def edges_of(values: FloatArray) -> FloatArray:
    """Upper ends of the bins: values that occur, so that a heap (no orders, no returns) lies whole in one bin."""
    known = values[~np.isnan(values)]
    return np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="lower")) if len(known) else known


def histogram_of(values: FloatArray, edges: FloatArray) -> Histogram:
    """How many values lie in each bin, and how many are null."""
    return _histogram(edges, np.bincount(_bins(values, edges), minlength=len(edges) + 2))


def _bins(values: FloatArray, edges: FloatArray) -> NDArray[np.int64]:
    """The bin of each value (rows,); the one past the last is that of nulls, which are sorted after all edges."""
    return np.searchsorted(edges, values, side="left") + np.isnan(values)


def _histogram(edges: FloatArray, counts: NDArray[np.int64]) -> Histogram:
    return Histogram(tuple(map(float, edges)), tuple(map(int, counts[:-1])), int(counts[-1]))


def psi(before: Histogram, now: Histogram) -> float:
    """How far `now` has moved from `before`; both have the same edges."""
    old, new = (np.maximum([*each.counts, each.nulls], EMPTY) for each in (before, now))
    p, q = old / old.sum(), new / new.sum()
    return float(np.sum((q - p) * np.log(q / p)))


PIECE = 122_880
"""Rows counted at a time: a row group of the table, 22 MB as 45 features."""


def histograms_of_night(
    connection: "duckdb.DuckDBPyConnection", table: str, night: date, profile: Profile
) -> dict[str, Histogram]:
    """The night's histograms over the profile's bins, for the features that the table has; one scan."""
    described = connection.execute("SELECT name FROM pragma_table_info($table)", {"table": table}).fetchall()
    names = [name for (name,) in described if name in profile]
    if not names:
        return {}
    # As REAL, because that is what a model sees and what the edges were taken from.
    columns = ", ".join(f'CAST("{name}" AS REAL) AS "{name}"' for name in names)
    edges = [_as_real(profile[name].histogram.edges) for name in names]
    up_to = [np.zeros(len(each), dtype=np.int64) for each in edges]
    nulls = [0] * len(names)
    pieces = connection.sql(f"SELECT {columns} FROM {table} WHERE night = $night", params={"night": night})
    for piece in pieces.to_arrow_reader(PIECE):
        for number, column in enumerate(piece.columns):
            nulls[number] += column.null_count
            values = column.to_numpy(zero_copy_only=False)
            up_to[number] += [np.count_nonzero(values <= edge) for edge in edges[number]]
    return {
        name: Histogram(profile[name].histogram.edges, tuple(map(int, np.diff(counts, prepend=0))), missing)
        for name, counts, missing in zip(names, up_to, nulls, strict=True)
    }


def _as_real(edges: Iterable[float]) -> NDArray[np.float32]:
    """The greatest 32-bit floats that are not above the edges, and infinity: what is up to one is up to the other."""
    wide = np.array([*edges, math.inf])
    near = wide.astype(np.float32)
    return np.where(near > wide, np.nextafter(near, np.float32(-math.inf)), near)


def as_json(profile: Profile) -> dict[str, Any]:
    """The profile as JSON-ready values."""
    return {name: asdict(each) for name, each in profile.items()}


def from_json(document: Mapping[str, Any]) -> Profile:
    """The profile that `as_json` wrote."""
    found = {}
    for name, entry in document.items():
        stored = entry["histogram"]
        histogram = Histogram(tuple(stored["edges"]), tuple(stored["counts"]), stored["nulls"])
        found[name] = FeatureProfile(histogram, entry["usual"])
    return found
