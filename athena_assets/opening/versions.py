"""Opening a night: what it is about to use, by name."""

import hashlib
from collections.abc import Iterable, Mapping

from athena_assets.pins import CONTRACTS, FEATURE_SET, SOURCE_SNAPSHOT, model_subject
from checks.contract_files import contract_names, load_contract
from resources.registry import ModelRegistry, NoChampion


def contracts_version() -> str:
    """One name for all contracts as they stand."""
    text = "\n".join(f"{name} {load_contract(name).hash}" for name in contract_names())
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def current_versions(snapshot: str, feature_set: str, champions: Mapping[str, str]) -> dict[str, str]:
    """What a night that is opened now would use; `champions` maps each model that has one to its version."""
    return {
        SOURCE_SNAPSHOT: snapshot,
        FEATURE_SET: feature_set,
        CONTRACTS: contracts_version(),
        **{model_subject(model): version for model, version in champions.items()},
    }


def champions_of(registry: ModelRegistry, models: Iterable[str]) -> dict[str, str]:
    """The version in production of each model that has one; scoring says which model has none."""
    champions = {}
    for model in models:
        try:
            champions[model] = registry.champion(model).version
        except NoChampion:
            continue
    return champions
