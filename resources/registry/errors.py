"""Everything that can be wrong with a registry, by name."""

from athena_assets.errors import AthenaError


class NoChampion(AthenaError):
    """No version of the model stands (or stood, at the time asked about) in production."""


class UnknownModel(AthenaError):
    """No version of a model of this name was ever registered."""


class UnknownVersion(AthenaError):
    """The model exists, the version does not."""


class ArtifactTampered(AthenaError):
    """A registered file differs from what was registered, is missing, or is one too many."""


class LedgerBroken(AthenaError):
    """The promotion ledger was changed other than by appending, or cannot be read."""


class InvalidTransition(AthenaError):
    """The stage asked for cannot follow the version's present stage."""


class InvalidRegistration(AthenaError):
    """What was handed over cannot be registered: no files, a pickle, no lineage, values without a meaning."""


class RegistryBusy(AthenaError):
    """Another process is registering or promoting and does not finish."""

    transient = True


class RegistryOutOfStep(AthenaError):
    """MLflow's database and the promotion ledger do not belong together any more."""
