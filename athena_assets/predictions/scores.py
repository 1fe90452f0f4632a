"""From a night's features to its candidate rows: probability, tier, value at risk, and reasons in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from athena_assets.decimals import decimal_column, unscaled
from athena_assets.errors import AthenaError
from athena_assets.features.feature_set import FeatureSet
from athena_assets.features.words import words
from athena_assets.lifecycle.artifact import Artifact
from athena_assets.lifecycle.dataset import Matrix, to_matrix
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.reasons import explain, reasons_in_words, reference_rows, top_rows
from athena_assets.lifecycle.scoring import expected_value_at_risk, score, tier_names
from athena_assets.lifecycle.training_run import FEATURE_VERSION
from athena_assets.nights import Night
from athena_assets.predictions.prediction_contract import probability_column

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

REASONS = ("reason_1", "reason_2", "reason_3")


class FeaturesChanged(AthenaError):
    """A model's features are defined otherwise today than when it was trained."""


@dataclass(frozen=True)
class NightScores:
    """The candidate rows of a night (without night and versions), and what the UI plots of them."""

    table: "pa.Table"
    explained: int
    tiers: Mapping[str, int]


def refuse_changed_features(artifact: Artifact, feature_set: FeatureSet) -> None:
    """Raise `FeaturesChanged` unless the model's features have the very definitions it was trained with."""
    today = feature_set.select(artifact.model.features).version
    trained = artifact.manifest.get(FEATURE_VERSION)
    if today != trained:
        raise FeaturesChanged(
            f"the features of {artifact.manifest['model']} are not defined as when it was trained",
            expected=f"feature version {trained}",
            found=f"feature version {today}",
            next_command="athena train, or go back to the definitions that it was trained with",
        )


def features_of_night(
    connection: "duckdb.DuckDBPyConnection",
    artifact: Artifact,
    feature_set: FeatureSet,
    table: str,
    spend: str,
    night: Night,
) -> "pa.Table":
    """`customer_id, as_of`, the model's features and the spend, ordered by customer."""
    refuse_changed_features(artifact, feature_set)
    names = list(dict.fromkeys(["customer_id", "as_of", *artifact.model.features, spend]))
    columns = ", ".join(f'"{name}"' for name in names)
    rows = connection.sql(
        f"SELECT {columns} FROM {table} WHERE night = $night", params={"night": night.day}
    ).to_arrow_table()
    return in_customer_order(rows)


def in_customer_order(rows: "pa.Table") -> "pa.Table":
    """The rows ordered by customer; they mostly are, and to look is much less than to sort fifty columns."""
    import pyarrow.compute as pc

    customers = rows.column("customer_id")
    ascends = pc.all(pc.less(customers.slice(0, max(len(customers) - 1, 0)), customers.slice(1))).as_py()
    return rows.sort_by("customer_id") if ascends is False else rows


def score_night(spec: ModelSpec, artifact: Artifact, rows: "pa.Table", feature_set: FeatureSet) -> NightScores:
    """Score every row; reasons are exact for the top `reasons.top_k` by value at risk, null for the others."""
    import pyarrow as pa

    features = artifact.model.features
    matrix = to_matrix(rows, features, threads=artifact.model.ranking.threads)
    probability = score(artifact, matrix, features)
    value = expected_value_at_risk(probability, unscaled(rows.column(spec.value.spend_feature)), spec.value)
    top = top_rows(value, probability, spec.reasons.top_k)
    told = reasons_for(spec, artifact, matrix[top], matrix, feature_set)
    tiers = tier_names(probability, spec.risk_tiers)
    columns = {
        "customer_id": rows.column("customer_id"),
        "as_of": rows.column("as_of"),
        probability_column(spec): pa.array(probability),
        "risk_tier": tiers,
        "expected_value_at_risk": decimal_column(value, precision=18, scale=2),
        **_reason_columns(top, told, len(matrix)),
    }
    counted = {each["values"]: each["counts"] for each in tiers.value_counts().to_pylist()}
    return NightScores(pa.table(columns), len(top), {tier: counted.get(tier, 0) for tier in spec.risk_tiers})


def _reason_columns(top: NDArray[np.int64], told: Sequence[tuple[str, str, str]], rows: int) -> "dict[str, pa.Array]":
    """One column of text per reason: those of the rows `top`, null for all others."""
    import pyarrow as pa

    # Which of the told rows a row is; the one past the last for a row without reasons.
    position = np.full(rows, len(told))
    position[top] = np.arange(len(told))
    return {
        name: pa.array([*(reasons[number] for reasons in told), None], type=pa.string()).take(pa.array(position))
        for number, name in enumerate(REASONS)
    }


def reasons_for(
    spec: ModelSpec, artifact: Artifact, matrix: Matrix, population: Matrix, feature_set: FeatureSet
) -> list[tuple[str, str, str]]:
    """Three reasons in words for each row, measured against the population of the night."""
    if not len(matrix):
        return []

    def phrase(feature: str, value: float, typical: float | None) -> str:
        return words(feature_set.by_name[feature], None if np.isnan(value) else value, typical=typical)

    population = reference_rows(population)
    explanation = explain(artifact.model, matrix, population)
    return reasons_in_words(explanation, matrix, population, artifact.model, spec.reasons, phrase)
