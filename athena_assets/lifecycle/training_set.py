"""The labelled snapshots of a model as SQL: the night's own feature text, joined with the model's labels.

Where all snapshots of everybody would be more rows than the model wants (`snapshots.maximum_rows`), it learns from a
part of the customers: those whose id has one of the lowest hashes, each with all of its snapshots. The same ids are
chosen whatever else is known, and no feature or outcome has a say in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.snapshots import NotEnoughHistory, complete_snapshots
from athena_assets.nights import Night
from athena_assets.sql import parameters_used

BUCKETS = 65_536
_LABELLED = "temp.labelled_snapshots"
_BUCKET = "md5_number_upper(customer_id) >> 48"


class NotEnoughRows(AthenaError):
    """A model's `snapshots.maximum_rows` is too small for a single customer."""


@dataclass(frozen=True)
class SnapshotSelect:
    """One snapshot's SELECT: customer_id, as_of, label, features; one row per customer of the population."""

    as_of: datetime
    sql: str
    parameters: dict[str, object]


@dataclass(frozen=True)
class TrainingRows:
    """The selects of all snapshots; rows: how many they have together, population_rows: of how many."""

    selects: tuple[SnapshotSelect, ...]
    population_rows: int
    rows: int


def model_features(spec: ModelSpec, feature_set: FeatureSet) -> FeatureSet:
    """The features of a model, in its order; raises where it lists one that is unavailable."""
    return feature_set.select(spec.features.resolve(feature_set.columns))


def snapshot_days(connection: duckdb.DuckDBPyConnection, spec: ModelSpec, as_of: datetime) -> tuple[datetime, ...]:
    """The snapshots whose labels are complete at `as_of`, ascending; raises `NotEnoughHistory`.

    connection: sees the view orders.all_orders.
    """
    ((first,),) = connection.execute("SELECT min(order_ts) FROM orders.all_orders").fetchall()
    policy = spec.snapshots
    days = complete_snapshots(first, as_of, horizon_days=spec.horizon_days, policy=policy) if first is not None else ()
    if not days:
        raise NotEnoughHistory(
            f"no snapshot of {spec.name} has complete labels at {as_of:%Y-%m-%d}",
            expected=f"{policy.minimum_history_days} days of orders, then {spec.horizon_days} days of outcome",
            found=f"first order at {first}" if first is not None else "no order",
            next_command="load a longer history",
        )
    return days


def training_rows(
    connection: duckdb.DuckDBPyConnection,
    spec: ModelSpec,
    features: FeatureSet,
    days: Sequence[datetime],
    *,
    label_cutoff: datetime,
) -> TrainingRows:
    """Label these snapshots, choose the customers, and say how to read their features.

    Features are as the night of the snapshot could have known them, labels as known at `label_cutoff`. The labels stay
    in a temporary table of the connection, which the selects read until the next call.
    """
    horizon = timedelta(days=spec.horizon_days)
    labels = spec.labels_sql.strip().removesuffix(";")
    connection.execute(
        f"CREATE OR REPLACE TEMP TABLE {_LABELLED}"
        " (as_of TIMESTAMP, customer_id VARCHAR, label INTEGER, bucket USMALLINT)"
    )
    for day in days:
        night = Night.of_as_of(day)
        values = {**features.parameters(night.as_of, night.cutoff), "label_cutoff": label_cutoff}
        connection.execute(
            f"INSERT INTO {_LABELLED} SELECT CAST($as_of AS TIMESTAMP), customer_id, label, {_BUCKET}"
            f" FROM (\n{labels}\n)",
            {"as_of": day, **parameters_used(labels, {**values, "label_end": day + horizon})},
        )
    counted = dict(connection.execute(f"SELECT bucket, count(*) FROM {_LABELLED} GROUP BY bucket").fetchall())
    sums = accumulate(counted.get(bucket, 0) for bucket in range(BUCKETS))
    buckets = sum(1 for total in sums if total <= spec.snapshots.maximum_rows)
    everybody = sum(counted.values())
    if everybody and not any(counted.get(bucket) for bucket in range(buckets)):
        raise NotEnoughRows(
            f"snapshots.maximum_rows of {spec.name} leaves no customer to train on",
            expected=f"enough for the {everybody:,} rows of {len(days)} snapshots to be thinned to",
            found=f"{spec.snapshots.maximum_rows:,}",
            next_command=f"raise it in {spec.name}/model.yaml",
        )
    if buckets < BUCKETS:
        connection.execute(f"DELETE FROM {_LABELLED} WHERE bucket >= $buckets", {"buckets": buckets})
    selects = tuple(_snapshot_select(features, day, sampled=buckets < BUCKETS) for day in days)
    return TrainingRows(selects, everybody, sum(counted.get(bucket, 0) for bucket in range(buckets)))


def _snapshot_select(features: FeatureSet, day: datetime, *, sampled: bool) -> SnapshotSelect:
    night = Night.of_as_of(day)
    chosen = f"SELECT * FROM {_LABELLED} WHERE as_of = $as_of"
    text = features.sql(f"SELECT customer_id FROM ({chosen})", restrict=sampled)
    return SnapshotSelect(
        day,
        f"SELECT computed.*, labelled.label FROM (\n{text}) AS computed\n"
        f"JOIN ({chosen}) AS labelled ON labelled.customer_id = computed.customer_id",
        features.parameters(night.as_of, night.cutoff),
    )
