"""The recipe judged at a chosen day as if it had been trained then; nothing is registered, every look is counted.

A held-out snapshot stays honest only as long as no choice was made after looking at it, so looks are written down.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from athena_assets.errors import InvalidArgument
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.dataset import Dataset, dataset_of
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.snapshots import labels_complete_before
from athena_assets.lifecycle.training import Judged, backtest
from athena_assets.lifecycle.training_set import snapshot_days, training_rows

if TYPE_CHECKING:
    import duckdb

LOOKS = "looks.jsonl"


@dataclass(frozen=True)
class Look:
    """One evaluation of a held-out snapshot."""

    model: str
    as_of: datetime
    snapshots: tuple[datetime, ...]
    code_version: str
    at: datetime

    def to_json(self) -> str:
        """One line of the record."""
        return json.dumps(
            {
                "model": self.model,
                "as_of": f"{self.as_of:%Y-%m-%d}",
                "snapshots": [f"{day:%Y-%m-%d}" for day in self.snapshots],
                "code_version": self.code_version,
                "at": self.at.isoformat(),
            }
        )


def backtest_at(
    connection: "duckdb.DuckDBPyConnection",
    spec: ModelSpec,
    features: FeatureSet,
    *,
    as_of: datetime,
    known_until: datetime,
    snapshots: Sequence[datetime] | None = None,
) -> Judged:
    """Train on snapshots whose labels were complete at `as_of`, judge on the customers of `as_of`.

    features: the model's own. known_until: when the outcome is read; the label window must lie before it.
    snapshots: training snapshots; by default those that a training at `as_of` would use.
    Raises `InvalidArgument` where a snapshot cannot be used, `NotEnoughHistory` where none is left.
    """
    chosen = tuple(sorted(snapshots)) if snapshots else snapshot_days(connection, spec, as_of)
    usable = labels_complete_before(chosen, as_of, horizon_days=spec.horizon_days)
    early = sorted(set(chosen) - set(usable))
    if early:
        raise InvalidArgument(
            f"the snapshot {early[0]:%Y-%m-%d} cannot train a model at {as_of:%Y-%m-%d}",
            expected=f"snapshots at least {spec.horizon_days} days before, so that their labels were complete",
            found=f"{(as_of - early[0]).days} days before",
        )
    if not labels_complete_before((as_of,), known_until, horizon_days=spec.horizon_days):
        raise InvalidArgument(
            f"the outcome of {as_of:%Y-%m-%d} is not known yet",
            expected=f"orders for the {spec.horizon_days} days after it",
            found=f"orders until {known_until:%Y-%m-%d}",
            next_command="choose an earlier --as-of",
        )
    data = labelled(connection, spec, features, (*usable, as_of), label_cutoff=known_until)
    (judged,) = backtest(spec, data, (as_of,))
    return judged


def labelled(
    connection: "duckdb.DuckDBPyConnection",
    spec: ModelSpec,
    features: FeatureSet,
    snapshots: Sequence[datetime],
    *,
    label_cutoff: datetime,
) -> Dataset:
    """Stacked snapshots, computed now, by the same text as the night's."""
    import pyarrow as pa

    chosen = training_rows(connection, spec, features, snapshots, label_cutoff=label_cutoff)
    parts = [connection.sql(select.sql, params=select.parameters).to_arrow_table() for select in chosen.selects]
    return dataset_of(pa.concat_tables(parts), features.columns)


def write_look(folder: Path, look: Look) -> int:
    """Append the look to the record; returns how often that snapshot has been looked at, this time included."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / LOOKS
    with path.open("a", encoding="utf-8") as file:
        file.write(look.to_json() + "\n")
    lines = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    day = f"{look.as_of:%Y-%m-%d}"
    return sum(1 for line in lines if line["model"] == look.model and line["as_of"] == day)
