"""The pipeline that failed in the book: it reads columns by name, and where a name is gone it goes on with null.

Everything else is Athena's own (the same feature SQL, the same champion, the same tiers and money), so that the one
difference between the two is the missing protection. Never used outside the replay.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from athena_assets.atomic import replacing
from athena_assets.decimals import unscaled
from athena_assets.features.evaluate import evaluate_active
from athena_assets.features.feature_set import FeatureSet
from athena_assets.incidents.extracts import Retailer
from athena_assets.lifecycle.artifact import Artifact
from athena_assets.lifecycle.dataset import FloatArray, Matrix, to_matrix
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.scoring import CENT, expected_value_at_risk, score, tier_names
from athena_assets.nights import Night
from athena_assets.sources.parsing import quote_name, quote_text
from athena_assets.sources.source import KNOWN_AT
from athena_assets.sources.tables import RAW_TABLES, WHOLE, RawColumn


@dataclass(frozen=True)
class NaiveNight:
    """What the naive pipeline made of one night. Arrays are (customers,), ordered by customer."""

    night: Night
    missing: tuple[str, ...]
    """Columns that it did not find and filled with null."""
    customers: tuple[str, ...]
    features: tuple[str, ...]
    matrix: Matrix
    probability: FloatArray
    tier: tuple[str, ...]
    value_at_risk: tuple[Decimal, ...]
    published: Path

    def null_rate(self, feature: str) -> float:
        """Share of the customers for whom the feature is null."""
        return float(np.isnan(self.matrix[:, self.features.index(feature)]).mean())

    def zero_rate(self, feature: str) -> float:
        """Share of the customers for whom the feature is 0."""
        return float((self.matrix[:, self.features.index(feature)] == 0).mean())


def run_naive_night(
    retailer: Retailer, night: Night, spec: ModelSpec, artifact: Artifact, feature_set: FeatureSet, published: Path
) -> NaiveNight:
    """Read the newest extract, compute the champion's features, score and publish to the folder `published`."""
    features = artifact.model.features
    with duckdb.connect(config={"threads": 2}) as connection:
        missing = _read(connection, retailer, night)
        spend = spec.value.spend_feature
        names = list(dict.fromkeys([*features, spend]))
        rows = evaluate_active(connection, feature_set.select(names), as_of=night.as_of, cutoff=night.cutoff)
    matrix = to_matrix(rows, features)
    probability = score(artifact, matrix, features)
    # A sum over nothing but nulls is null; where a feature's definition does not turn it into 0, the pipeline does.
    spent = unscaled(rows.column(spend).fill_null(Decimal("0.0000")))
    made = NaiveNight(
        night=night,
        missing=missing,
        customers=tuple(rows.column("customer_id").to_pylist()),
        features=tuple(features),
        matrix=matrix,
        probability=probability,
        tier=tuple(tier_names(probability, spec.risk_tiers).to_pylist()),
        value_at_risk=tuple(cents * CENT for cents in expected_value_at_risk(probability, spent, spec.value).tolist()),
        published=published / f"night={night.key}.parquet",
    )
    _publish(made)
    return made


def _read(connection: duckdb.DuckDBPyConnection, retailer: Retailer, night: Night) -> tuple[str, ...]:
    """Fill `orders.all_<table>` from what was delivered; returns the columns that were not found."""
    connection.execute("CREATE SCHEMA orders")
    missing: list[str] = []
    for table in retailer.source.tables:
        folders = retailer.known_by(night)
        newest = folders[-1:] if retailer.source.repeats_earlier_nights(table, "nightly") else folders
        delivered = _scan([folder / f"{table}.parquet" for folder in newest])
        present = {str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {delivered}").fetchall()}
        columns = (*RAW_TABLES[table].columns, KNOWN_AT)
        missing += [f"{table}.{column.name}" for column in columns if column.name not in present]
        selected = ", ".join(_or_null(column, present) for column in columns)
        if table == "orders":
            lines = _scan([folders[-1] / "order_lines.parquet"])
            counts = (
                f"SELECT order_id, CAST(sum(abs(quantity)) AS {WHOLE}) AS item_count FROM {lines} GROUP BY order_id"
            )
            delivered = f"{delivered} LEFT JOIN ({counts}) USING (order_id)"
            selected += ", coalesce(item_count, 0) AS item_count"
        connection.execute(f"CREATE TABLE orders.all_{table} AS SELECT {selected} FROM {delivered}")
    return tuple(missing)


def _scan(files: Sequence[Path]) -> str:
    return f"read_parquet([{', '.join(quote_text(str(path)) for path in files)}], hive_partitioning = false)"


def _or_null(column: RawColumn, present: set[str]) -> str:
    """The fault itself: a column that is not there is read as null, and nobody is told."""
    value = quote_name(column.name) if column.name in present else "NULL"
    return f"CAST({value} AS {column.type}) AS {column.name}"


def _publish(made: NaiveNight) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        "customer_id": pa.array(made.customers),
        "churn_probability": pa.array(made.probability),
        "risk_tier": pa.array(made.tier),
        "expected_value_at_risk": pa.array(made.value_at_risk, type=pa.decimal128(18, 2)),
    }
    made.published.parent.mkdir(parents=True, exist_ok=True)
    with replacing(made.published) as temporary:
        pq.write_table(pa.table(columns), temporary)
