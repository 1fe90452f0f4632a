"""Which models exist, which one decides, and how each came to be; readable without MLflow."""

from resources.registry.errors import (
    ArtifactTampered,
    InvalidRegistration,
    InvalidTransition,
    LedgerBroken,
    NoChampion,
    RegistryBusy,
    RegistryOutOfStep,
    UnknownModel,
    UnknownVersion,
)
from resources.registry.ledger import Promotion, Stage
from resources.registry.registry import ModelRegistry
from resources.registry.version import RegisteredModel

__all__ = [
    "ArtifactTampered",
    "InvalidRegistration",
    "InvalidTransition",
    "LedgerBroken",
    "ModelRegistry",
    "NoChampion",
    "Promotion",
    "RegisteredModel",
    "RegistryBusy",
    "RegistryOutOfStep",
    "Stage",
    "UnknownModel",
    "UnknownVersion",
]
