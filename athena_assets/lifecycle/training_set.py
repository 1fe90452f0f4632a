"""The labelled snapshots of a model as SQL: the night's own feature text, joined with the model's labels."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.snapshots import NotEnoughHistory, complete_snapshots
from athena_assets.nights import Night


@dataclass(frozen=True)
class SnapshotSelect:
    """One snapshot's SELECT: customer_id, as_of, label, features; one row per customer of the population."""

    as_of: datetime
    sql: str
    parameters: dict[str, object]


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


def snapshot_select(
    spec: ModelSpec, features: FeatureSet, as_of: datetime, *, label_cutoff: datetime
) -> SnapshotSelect:
    """Features as the night of `as_of` could have known them, labels as known at `label_cutoff`."""
    labels = spec.labels_sql.strip().removesuffix(";")
    night = Night.of_as_of(as_of)
    text = features.sql(f"SELECT customer_id FROM (\n{labels}\n)")
    return SnapshotSelect(
        as_of,
        f"SELECT computed.*, labelled.label FROM (\n{text}) AS computed\n"
        f"JOIN (\n{labels}\n) AS labelled ON labelled.customer_id = computed.customer_id",
        {
            **features.parameters(night.as_of, night.cutoff),
            "label_end": as_of + timedelta(days=spec.horizon_days),
            "label_cutoff": label_cutoff,
        },
    )
