"""The feature registry as rows: what exists, whose it is, what it reads, who uses it, whether it can be computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from athena_assets.features.definition import FeatureDefinition, load_definitions
from athena_assets.features.feature_set import FeatureSet
from athena_assets.features.lineage import Source, feature_lineage


@dataclass(frozen=True)
class RegistryEntry:
    """One feature as `athena features` shows it."""

    name: str
    description: str
    phrase: str
    table: str
    dtype: str
    unit: str
    window: str
    null_policy: str
    bounds: tuple[float | None, float | None]
    owner: str
    since: str
    expression: str
    lineage: tuple[Source, ...]
    builds_on: tuple[str, ...]
    consumers: tuple[str, ...]
    unavailable: str | None
    """Why it cannot be computed from the tables at hand; None where it can."""


def registry(feature_set: FeatureSet, consumers: Mapping[str, Sequence[str]]) -> list[RegistryEntry]:
    """Every feature, available or not, by name.

    consumers: consumer (for instance `churn`) -> the features on its list. A name that no definition has is an
    error of the consumer, found where its list is loaded (`FeatureSet.select`); here it is not looked for.
    """
    definitions = {definition.name: definition for definition in load_definitions(feature_set.folder)}
    return [_entry(feature, definitions, feature_set, consumers) for feature in definitions.values()]


def unused(entries: Sequence[RegistryEntry]) -> list[str]:
    """Names of the features that are computed although no consumer lists them or a feature that builds on them."""
    by_name = {entry.name: entry for entry in entries}
    used: set[str] = set()
    waiting = [entry.name for entry in entries if entry.consumers]
    while waiting:
        name = waiting.pop()
        if name not in used:
            used.add(name)
            waiting += by_name[name].builds_on
    return [entry.name for entry in entries if entry.unavailable is None and entry.name not in used]


def _entry(
    feature: FeatureDefinition,
    definitions: Mapping[str, FeatureDefinition],
    feature_set: FeatureSet,
    consumers: Mapping[str, Sequence[str]],
) -> RegistryEntry:
    return RegistryEntry(
        name=feature.name,
        description=feature.description,
        phrase=feature.words.phrase,
        table=feature.table,
        dtype=feature.dtype,
        unit=feature.unit,
        window=feature.window,
        null_policy=feature.null_policy,
        bounds=feature.bounds,
        owner=feature.owner,
        since=feature.since,
        expression=feature.expression,
        lineage=feature_lineage(feature, definitions, feature_set.bases),
        builds_on=feature.references,
        consumers=tuple(sorted(name for name, features in consumers.items() if feature.name in features)),
        unavailable=feature_set.unavailable.get(feature.name),
    )
