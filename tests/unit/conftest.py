"""A synthetic model problem that several files train on: labelled snapshots with a known truth."""

from datetime import datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from athena_assets.lifecycle.dataset import Dataset, dataset_of
from athena_assets.lifecycle.model_spec import ModelSpec, find_model
from athena_assets.lifecycle.training import TrainedModel, train

FIRST = datetime(2023, 1, 1)
FEATURES = (
    "as_of_day_of_year", "avg_order_value_90d", "history_days", "is_domestic", "mean_gap_days", "online_share_365d",
    "orders_180d", "orders_30d", "orders_365d", "orders_60d", "orders_90d", "recency_days", "return_rate_365d",
    "spend_180d", "spend_365d", "spend_90d", "tenure_days",
)  # fmt: skip


def season_of(day: datetime) -> float:
    """True level in logits: lowest before Christmas, highest after it, zero on average over the year."""
    turn = 2 * np.pi * (day.timetuple().tm_yday - 330) / 365.25
    return float(-0.7 * np.cos(turn) + 0.3 * np.sin(2 * turn))


def synthetic_table(days: list[datetime], *, customers: int = 500, seed: int = 7) -> pa.Table:
    """Labelled snapshots; columns `customer_id`, `as_of`, `label` and `FEATURES`."""
    generator = np.random.default_rng(seed)
    parts = []
    for day in days:
        rate = generator.gamma(1.2, 0.9, customers)
        history = min((day - FIRST).days, 365)
        tenure = np.maximum(1, generator.integers(1, history + 1, customers))
        recency = np.minimum(tenure, 1 + generator.exponential(60 / (0.3 + rate), customers)).astype(int)
        orders = {w: generator.poisson(rate * min(w, history) / 60) + (recency <= w) for w in (30, 60, 90, 180, 365)}
        worth = generator.lognormal(4, 0.7, customers)
        interaction = 2.0 * ((orders[180] > 2) & (recency > 30)) - 1.0 * (recency > 120)
        logit = 0.9 * np.log1p(recency) - 3.2 - 0.5 * np.log1p(orders[365]) + interaction + season_of(day)
        label = (generator.uniform(size=customers) < 1 / (1 + np.exp(-logit))).astype(int)
        parts.append(
            pa.table(
                {
                    "customer_id": [f"C-{i:08d}" for i in range(customers)],
                    "as_of": pa.array([day] * customers, pa.timestamp("us")),
                    "label": label,
                    "as_of_day_of_year": np.full(customers, day.timetuple().tm_yday),
                    "avg_order_value_90d": pa.array(worth, mask=recency > 90),
                    "history_days": np.full(customers, history),
                    "is_domestic": generator.uniform(size=customers) < 0.9,
                    "mean_gap_days": pa.array(60 / rate, mask=orders[365] < 2),
                    "online_share_365d": pa.nulls(customers, pa.float64()),
                    **{f"orders_{window}d": counts for window, counts in orders.items()},
                    "recency_days": recency,
                    "return_rate_365d": generator.beta(1, 9, customers),
                    **{f"spend_{window}d": (orders[window] * worth).round(2) for window in (90, 180, 365)},
                    "tenure_days": tenure,
                }
            )
        )
    table = pa.concat_tables(parts)
    return table.select(["customer_id", "as_of", "label", *FEATURES])


@pytest.fixture(scope="session")
def churn_spec() -> ModelSpec:
    """The real churn model, with a search small enough for tests."""
    spec = find_model("churn")
    return spec.model_copy(update={"search": spec.search.model_copy(update={"trials": 3, "folds": 1})})


@pytest.fixture(scope="session")
def churn_table() -> pa.Table:
    """Thirteen snapshots, 45 days apart, over a year and a half."""
    return synthetic_table([FIRST + timedelta(days=185 + 45 * k) for k in range(13)])


@pytest.fixture(scope="session")
def churn_data(churn_table: pa.Table) -> Dataset:
    """The same as arrays."""
    return dataset_of(churn_table, FEATURES)


@pytest.fixture(scope="session")
def trained(churn_spec: ModelSpec, churn_data: Dataset) -> TrainedModel:
    """One training, shared."""
    return train(churn_spec, churn_data)
