"""Row by row: what another model version would say of a published night, against what was published."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from athena_assets.features.feature_contract import TABLE as FEATURE_TABLE
from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.artifact import Artifact
from athena_assets.lifecycle.dataset import to_matrix
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.scoring import DECIMALS, score, tier_names
from athena_assets.nights import Night
from athena_assets.predictions.prediction_contract import probability_column
from athena_assets.predictions.publish import NIGHT_FILE
from athena_assets.predictions.scores import features_of_night

if TYPE_CHECKING:
    import pyarrow as pa

MOST_MOVERS = 10
LIKELY = 0.5
"""From this probability on a customer counts as positive, as in the night's own figures."""


@dataclass(frozen=True)
class Mover:
    """A customer whose probability would be another."""

    customer_id: str
    published: float
    planned: float
    published_tier: str
    planned_tier: str


@dataclass(frozen=True)
class Difference:
    """What would change for the readers of one night. Changes are planned less published, over customers in both."""

    model: str
    night: str
    published_version: str
    planned_version: str
    customers: int
    only_published: tuple[str, ...]
    only_planned: tuple[str, ...]
    tiers: Mapping[str, Mapping[str, int]]
    """Published tier -> planned tier -> customers; every tier of the model, zeros too."""
    mean_change: float
    mean_absolute_change: float
    largest_absolute_change: float
    positive_rate_published: float
    positive_rate_planned: float
    movers: tuple[Mover, ...]
    """The largest changes first, ties by customer; nobody who would not move."""

    @property
    def tier_changes(self) -> int:
        """Customers who would be in another tier."""
        return sum(count for old, row in self.tiers.items() for new, count in row.items() if old != new)


def night_file(published: Path, model: str, night: Night) -> Path:
    """Where a night's predictions are published."""
    return published / "predictions" / model / f"night={night.key}" / NIGHT_FILE


def latest_published(published: Path, model: str) -> Night | None:
    """The last night of which a file is published; None where there is none."""
    folder = night_file(published, model, Night(date.min)).parent.parent
    keys = [path.parent.name.removeprefix("night=") for path in folder.glob(f"night=*/{NIGHT_FILE}")]
    return Night.parse(max(keys)) if keys else None


def planned_scores(
    connection: duckdb.DuckDBPyConnection, spec: ModelSpec, artifact: Artifact, feature_set: FeatureSet, night: Night
) -> "pa.Table":
    """`customer_id, probability, tier` of the night's stored features; raises `FeaturesChanged`."""
    import pyarrow as pa

    rows = features_of_night(connection, artifact, feature_set, FEATURE_TABLE, spec.value.spend_feature, night)
    features = artifact.model.features
    probability = score(artifact, to_matrix(rows, features), features)
    return pa.table(
        {
            "customer_id": rows.column("customer_id"),
            "probability": pa.array(probability),
            "tier": tier_names(probability, spec.risk_tiers),
        }
    )


def compare(spec: ModelSpec, night: Night, file: Path, planned: "pa.Table", *, version: str) -> Difference:
    """The difference between a published file and planned scores (`customer_id, probability, tier`)."""
    with duckdb.connect() as connection:
        connection.register("planned", planned)
        rows = connection.execute(
            f"SELECT published.customer_id, planned.customer_id, {probability_column(spec)}, probability, risk_tier,"
            " tier, model_version FROM read_parquet($file, hive_partitioning = false) published"
            " FULL JOIN planned USING (customer_id) ORDER BY coalesce(published.customer_id, planned.customer_id)",
            {"file": str(file)},
        ).fetchall()
    both = [row for row in rows if row[0] is not None and row[1] is not None]
    changes = [round(new - old, DECIMALS) for _, _, old, new, *_ in both]
    tiers = {old: dict.fromkeys(spec.risk_tiers, 0) for old in spec.risk_tiers}
    for _, _, _, _, old, new, _ in both:
        # A tier of the published file that model.yaml no longer has is shown as it was.
        row = tiers.setdefault(old, dict.fromkeys(spec.risk_tiers, 0))
        row[new] += 1
    movers = sorted(
        (Mover(customer, old, new, was, becomes) for customer, _, old, new, was, becomes, _ in both if old != new),
        key=lambda mover: (-abs(round(mover.planned - mover.published, DECIMALS)), mover.customer_id),
    )
    return Difference(
        model=spec.name,
        night=night.key,
        published_version=", ".join(sorted({row[6] for row in rows if row[6] is not None})),
        planned_version=version,
        customers=len(both),
        only_published=tuple(row[0] for row in rows if row[1] is None),
        only_planned=tuple(row[1] for row in rows if row[0] is None),
        tiers=tiers,
        mean_change=_mean(changes),
        mean_absolute_change=_mean([abs(change) for change in changes]),
        largest_absolute_change=max((abs(change) for change in changes), default=0.0),
        positive_rate_published=_mean([float(row[2] >= LIKELY) for row in both]),
        positive_rate_planned=_mean([float(row[3] >= LIKELY) for row in both]),
        movers=tuple(movers[:MOST_MOVERS]),
    )


def _mean(figures: list[float]) -> float:
    return round(sum(figures) / len(figures), DECIMALS) if figures else 0.0
