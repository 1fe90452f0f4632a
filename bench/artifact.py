"""The champion as a file: one row at a time and a whole retailer at once, portable against native; and its size."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from athena_assets.features.evaluate import evaluate_active
from athena_assets.lifecycle.artifact import FILES, Artifact, load_artifact
from athena_assets.lifecycle.dataset import Matrix, to_matrix
from athena_assets.lifecycle.portable import INPUT, OUTPUT, portable_probability
from athena_assets.lifecycle.reasons import explain
from athena_assets.lifecycle.scoring import score
from athena_cli.workplace import Workplace
from bench.table import Table, microseconds, ratio, seconds
from bench.timing import alternate

CALLS = 1_000
NATIVE = "XGBoost native, trees alone (floor)"


@dataclass(frozen=True)
class Champion:
    """The champion loaded, and real customers to score."""

    artifact: Artifact
    matrix: Matrix
    top_k: int

    def trees_alone(self, matrix: Matrix) -> Any:
        """The floor: the booster on its own columns, without linear part and level."""
        ranking = self.artifact.model.ranking
        return ranking.booster.inplace_predict(matrix[:, ranking.tree_columns])


def measure(workplace: Workplace, rows: int, rounds: int) -> list[Table]:
    """Single rows, `rows` rows at once, and reasons for those that the retention team acts on."""
    return [single_row(champion_of(workplace, threads=1)), batch(champion_of(workplace, threads=2), rows, rounds)]


def champion_of(workplace: Workplace, *, threads: int) -> Champion:
    """The champion of the home's model, with the features of its customers when the history ended."""
    (spec,) = workplace.athena.models
    artifact = load_artifact(workplace.registry.champion(spec.name).verify().path, threads=threads)
    night = workplace.retailer.first_night.plus(-1)
    features = workplace.athena.feature_set.select(artifact.model.features)
    with workplace.warehouse.read() as connection:
        table = evaluate_active(connection, features, as_of=night.as_of, cutoff=night.cutoff)
    return Champion(artifact, to_matrix(table, artifact.model.features), spec.reasons.top_k)


def single_row(champion: Champion) -> Table:
    """Latency of one row, one thread; the ways take turns row by row."""
    model, portable = champion.artifact.model, champion.artifact.portable
    rows = [np.ascontiguousarray(champion.matrix[position][None, :]) for position in range(100)]
    ways: dict[str, Callable[[Matrix], object]] = {
        NATIVE: champion.trees_alone,
        "native, the published probability": model.probability,
        "ONNX, the published probability": lambda row: portable.run([OUTPUT], {INPUT: row}),
    }
    found: dict[str, list[float]] = {name: [] for name in ways}
    for call in range(CALLS + 100):
        for name, way in ways.items():
            started = time.perf_counter()
            way(rows[call % len(rows)])
            found[name].append(time.perf_counter() - started)
    # The first calls fill caches.
    kept = {name: values[100:] for name, values in found.items()}
    floor = statistics.median(kept[NATIVE])
    folder = champion.artifact.folder
    sizes = ", ".join(f"{name} {(folder / name).stat().st_size / 1024:,.0f} KiB" for name in FILES)
    return Table(
        "One row",
        ("way", "p50 µs", "p99 µs", "p50 / floor"),
        tuple(
            (
                name,
                microseconds(statistics.median(values)),
                microseconds(float(np.quantile(values, 0.99))),
                ratio(statistics.median(values), floor),
            )
            for name, values in kept.items()
        ),
        (
            f"{CALLS:,} calls, one thread. On disk: {sizes}; native and ONNX differ by at most"
            f" {champion.artifact.manifest['largest_difference']}.",
        ),
    )


def batch(champion: Champion, rows: int, rounds: int) -> Table:
    """A whole retailer at once, and exact reasons for the customers that can be acted on."""
    artifact, features = champion.artifact, champion.artifact.model.features
    matrix = np.resize(champion.matrix, (rows, champion.matrix.shape[1]))
    explained = matrix[: champion.top_k]
    ways: dict[str, Callable[[], object]] = {
        NATIVE: lambda: champion.trees_alone(matrix),
        "native, the published probability": lambda: score(artifact, matrix, features),
        "ONNX, the published probability, one thread": lambda: portable_probability(artifact.portable, matrix),
        f"exact contributions of {len(explained):,} rows": lambda: explain(artifact.model, explained, champion.matrix),
    }
    timings = alternate(ways, rounds)
    floor = timings[NATIVE].median
    return Table(
        f"{rows:,} rows at once",
        ("way", "wall s", "range", "CPU s", "wall / floor"),
        tuple(
            (name, seconds(timing.median), timing.spread, seconds(timing.median_cpu), ratio(timing.median, floor))
            for name, timing in timings.items()
        ),
        (f"Native with two threads; median of {rounds}. The rows are {len(champion.matrix):,} customers, repeated.",),
    )
