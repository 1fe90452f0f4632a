"""Tables that were delivered right and computed wrong: each is spoiled in the transaction that writes it."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import duckdb
import pytest

from resources import warehouse
from tests.faults.corpus.fault import Fault, Scene, night_as_usual, nothing_to_mend

if TYPE_CHECKING:
    from tests.conftest import Answer

KIND = "computed"
FEATURES, SCORES = "features.customer_features", "predictions.churn_candidate"
ONCE = f"(SELECT max(spend_90d) FROM {FEATURES} WHERE night = CAST($night AS DATE)) < 50000"
"""Nobody spends so much in pounds: a later commit of the same night does not scale again."""
MENDED = "the defect is gone from the code; the night is computed again"


def poisoned(table: str, sql: str) -> Callable[[Scene], "Answer"]:
    """Runs the night while every commit first changes tonight's rows of a table (`$night`)."""

    def provoke(scene: Scene) -> "Answer":
        commit, (schema, name) = warehouse.commit, table.split(".")

        def poisoning(connection: duckdb.DuckDBPyConnection) -> None:
            there = connection.execute(
                "SELECT 1 FROM duckdb_tables() WHERE schema_name = $schema AND table_name = $name",
                {"schema": schema, "name": name},
            ).fetchall()
            if there:
                connection.execute(sql, {"night": scene.night})
            commit(connection)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(warehouse, "commit", poisoning)
            return night_as_usual(scene)

    return provoke


def _nulled(column: str, share: int) -> Callable[[Scene], "Answer"]:
    return poisoned(
        FEATURES,
        f"UPDATE {FEATURES} SET {column} = NULL WHERE night = CAST($night AS DATE) AND customer_id IN"
        f" (SELECT customer_id FROM {FEATURES} WHERE night = CAST($night AS DATE)"
        f" QUALIFY row_number() OVER (ORDER BY customer_id) * {share} % 100 < {share})",
    )


FAULTS = (
    Fault(
        "feature_null_1_percent",
        KIND,
        "features",
        "one customer in a hundred has no `avg_order_value_365d`",
        "lines",
        (),
        changes_scores=True,
        provoke=_nulled("avg_order_value_365d", 1),
    ),
    Fault(
        "feature_null_3_percent",
        KIND,
        "features",
        "three customers in a hundred have no `avg_order_value_365d`: between the alert and the breaker",
        "lines",
        ("features.customer_features: avg_order_value_365d.null_alert",),
        provoke=_nulled("avg_order_value_365d", 3),
        mend=nothing_to_mend,
        mended_by=MENDED,
        blocks=False,
        stops=False,
    ),
    Fault(
        "feature_null_6_percent",
        KIND,
        "features",
        "six customers in a hundred have no `avg_order_value_365d`: beyond the breaker",
        "lines",
        ("features.customer_features: avg_order_value_365d.null_limit",),
        provoke=_nulled("avg_order_value_365d", 6),
        mend=nothing_to_mend,
        mended_by=MENDED,
    ),
    Fault(
        "population_halved",
        KIND,
        "features",
        "half of the customers are missing from the feature table",
        "lines",
        ("features.customer_features: population.level",),
        provoke=poisoned(
            FEATURES, f"DELETE FROM {FEATURES} WHERE night = CAST($night AS DATE) AND hash(customer_id) % 2 = 0"
        ),
        mend=nothing_to_mend,
        mended_by=MENDED,
    ),
    Fault(
        "population_empty",
        KIND,
        "features",
        "the feature table has no customer at all",
        "lines",
        ("features.customer_features: rows.minimum",),
        provoke=poisoned(FEATURES, f"DELETE FROM {FEATURES} WHERE night = CAST($night AS DATE)"),
        mend=nothing_to_mend,
        mended_by=MENDED,
    ),
    Fault(
        "feature_scaled",
        KIND,
        "features",
        "`spend_90d` is computed in pence: every customer spends a hundred times as much",
        "lines",
        ("predictions.churn_candidate: psi.spend_90d",),
        provoke=poisoned(
            FEATURES, f"UPDATE {FEATURES} SET spend_90d = spend_90d * 100 WHERE night = CAST($night AS DATE) AND {ONCE}"
        ),
        mend=nothing_to_mend,
        mended_by=MENDED,
        stops=False,
        blocks=False,
    ),
    Fault(
        "customer_twice",
        KIND,
        "features",
        "a join has doubled a customer",
        "lines",
        ("features.customer_features: key.unique",),
        provoke=poisoned(
            FEATURES,
            f"INSERT INTO {FEATURES} SELECT * FROM {FEATURES} WHERE night = CAST($night AS DATE)"
            f" AND customer_id = (SELECT min(customer_id) FROM {FEATURES} WHERE night = CAST($night AS DATE))"
            f" AND (SELECT count(*) = count(DISTINCT customer_id) FROM {FEATURES} WHERE night = CAST($night AS DATE))",
        ),
        mend=nothing_to_mend,
        mended_by=MENDED,
    ),
    Fault(
        "probability_above_one",
        KIND,
        "scores",
        "a calibration went wrong: one probability is 1.7",
        "lines",
        ("predictions.churn_candidate: churn_probability.maximum",),
        provoke=poisoned(
            SCORES,
            f"UPDATE {SCORES} SET churn_probability = 1.7 WHERE night = CAST($night AS DATE)"
            f" AND customer_id = (SELECT min(customer_id) FROM {SCORES} WHERE night = CAST($night AS DATE))",
        ),
        mend=nothing_to_mend,
        mended_by=MENDED,
    ),
    Fault(
        "probability_not_a_number",
        KIND,
        "scores",
        "one customer in fifty has NaN for a probability",
        "lines",
        (
            "predictions.churn_candidate: churn_probability.maximum",
            "predictions.churn_candidate: churn_probability.finite",
        ),
        provoke=poisoned(
            SCORES,
            f"UPDATE {SCORES} SET churn_probability = 'NaN' WHERE night = CAST($night AS DATE)"
            " AND hash(customer_id) % 50 = 0",
        ),
        mend=nothing_to_mend,
        mended_by=MENDED,
    ),
    Fault(
        "probability_constant",
        KIND,
        "scores",
        "the model answers the same for everybody",
        "lines",
        ("predictions.churn_candidate: probability.varies",),
        provoke=poisoned(
            SCORES,
            f"UPDATE {SCORES} SET churn_probability = 0.5, risk_tier = 'medium' WHERE night = CAST($night AS DATE)",
        ),
        mend=nothing_to_mend,
        mended_by=MENDED,
    ),
    Fault(
        "positives_jumped",
        KIND,
        "scores",
        "the share of customers above one half jumps: probabilities are read the wrong way round",
        "lines",
        ("predictions.churn_candidate: positive_rate",),
        provoke=poisoned(
            SCORES,
            f"UPDATE {SCORES} SET churn_probability = greatest(churn_probability, 0.76), risk_tier = 'high'"
            " WHERE night = CAST($night AS DATE) AND hash(customer_id) % 4 <> 0",
        ),
        mend=nothing_to_mend,
        mended_by=MENDED,
        stops=False,
        blocks=False,
    ),
    Fault(
        "scores_missing",
        KIND,
        "scores",
        "a batch of the scoring got lost: one customer in ten has no score",
        "lines",
        ("predictions.churn_candidate: every_eligible_customer",),
        provoke=poisoned(
            SCORES, f"DELETE FROM {SCORES} WHERE night = CAST($night AS DATE) AND hash(customer_id) % 10 = 0"
        ),
        mend=nothing_to_mend,
        mended_by=MENDED,
    ),
)
