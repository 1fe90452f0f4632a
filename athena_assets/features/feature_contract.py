"""The contract of the nightly feature table: its keys from the contract file, its columns from the registry.

A feature is defined once; its header already says type, bounds and null policy, so the contract takes them from there.
The share of nulls is the circuit breaker of the night: above its limit nothing is published, above its alert somebody
is told. A feature whose nulls mean something common says in its header how common.
"""

from decimal import Decimal

from athena_assets.features.feature_set import FeatureSet
from checks.contract import Column, Contract
from checks.contract_files import load_contract

TABLE = "features.customer_features"
NULL_LIMIT = 0.05
NULL_ALERT = 0.02


def feature_contract(feature_set: FeatureSet) -> Contract:
    """The contract of `features.customer_features` for the features that this retailer's tables allow."""
    return load_contract(TABLE).with_columns(feature_columns(feature_set))


def feature_columns(feature_set: FeatureSet) -> tuple[Column, ...]:
    """One contract column per feature of the set, in the set's order."""
    columns = []
    for name in feature_set.columns:
        feature = feature_set.by_name[name]
        # A BOOLEAN cannot leave its bounds.
        low, high = (None, None) if feature.dtype == "BOOLEAN" else feature.bounds
        columns.append(
            Column(
                name=name,
                type=feature.dtype,
                description=feature.description.strip(),
                required=not feature.nullable,
                minimum=_exact(low),
                maximum=_exact(high),
                unit=feature.unit,
                null_limit=_exact(feature.null_limit or NULL_LIMIT) if feature.nullable else None,
                null_alert=_exact(feature.null_alert or NULL_ALERT) if feature.nullable else None,
            )
        )
    return tuple(columns)


def _exact(bound: float | None) -> Decimal | None:
    return None if bound is None else Decimal(str(bound))
