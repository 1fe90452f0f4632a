"""What the rename did to the naive pipeline, measured: nulls, zeros, positives, drift, tiers and money."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from athena_assets.incidents.naive import NaiveNight
from athena_assets.lifecycle.profile import edges_of, histogram_of, psi

POSITIVE: float = 0.5
"""Probability from which a customer counts as predicted to churn, as in the night's figure `positive_rate`."""


@dataclass(frozen=True)
class FeatureRates:
    """One feature on the last good night and on the renamed one: shares of customers, 0 to 1."""

    name: str
    null_before: float
    null_after: float
    zero_before: float
    zero_after: float

    @property
    def turned_null(self) -> bool:
        """Whether the rename made it null for customers who had a value."""
        return self.null_after > self.null_before

    @property
    def turned_zero(self) -> bool:
        """Whether the rename made it 0 for customers who had another value, which no null rate shows."""
        return not self.turned_null and self.zero_after > self.zero_before


@dataclass(frozen=True)
class NaiveFigures:
    """The naive pipeline before and after the rename."""

    customers: int
    """Of the renamed night: as many wrong predictions were published."""
    missing: tuple[str, ...]
    features: tuple[FeatureRates, ...]
    """Those that are computed from the renamed column."""
    positive_rate_before: float
    positive_rate_after: float
    high_before: int
    high_after: int
    """Customers in the highest tier."""
    psi: float
    """Of the probabilities: the renamed night against the tenths of the last good one."""
    value_at_risk_before: Decimal
    value_at_risk_after: Decimal

    @property
    def turned_null(self) -> tuple[FeatureRates, ...]:
        """Features that show the fault as nulls."""
        return tuple(each for each in self.features if each.turned_null)

    @property
    def turned_zero(self) -> tuple[FeatureRates, ...]:
        """Features that hide it as zeros."""
        return tuple(each for each in self.features if each.turned_zero)

    @property
    def null_rate_before(self) -> float:
        """Mean null rate of the features that turned null, on the last good night."""
        return _mean([each.null_before for each in self.turned_null])

    @property
    def null_rate_after(self) -> float:
        """The same features on the renamed night."""
        return _mean([each.null_after for each in self.turned_null])

    @property
    def positive_points(self) -> float:
        """By how many percentage points the positive rate moved."""
        return 100 * (self.positive_rate_after - self.positive_rate_before)


def measure(before: NaiveNight, after: NaiveNight, affected: Sequence[str], highest_tier: str) -> NaiveFigures:
    """Compare the naive pipeline's last good night with the renamed one.

    affected: the features that are computed from the renamed column, by lineage.
    """
    edges = edges_of(before.probability)
    return NaiveFigures(
        customers=len(after.customers),
        missing=after.missing,
        features=tuple(
            FeatureRates(
                name, before.null_rate(name), after.null_rate(name), before.zero_rate(name), after.zero_rate(name)
            )
            for name in affected
        ),
        positive_rate_before=float((before.probability >= POSITIVE).mean()),
        positive_rate_after=float((after.probability >= POSITIVE).mean()),
        high_before=before.tier.count(highest_tier),
        high_after=after.tier.count(highest_tier),
        psi=psi(*(histogram_of(each.probability, edges) for each in (before, after))),
        value_at_risk_before=sum(before.value_at_risk, Decimal(0)),
        value_at_risk_after=sum(after.value_at_risk, Decimal(0)),
    )


def _mean(rates: Sequence[float]) -> float:
    return float(np.mean(rates)) if rates else 0.0
