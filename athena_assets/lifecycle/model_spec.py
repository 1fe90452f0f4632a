"""What a model folder declares: `model.yaml`, read and validated before anything is trained."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from athena_assets.errors import AthenaError
from athena_assets.yaml_text import load_yaml

MODELS = Path(__file__).resolve().parent.parent / "models"

Parameters = dict[str, float | int]


class InvalidModelSpec(AthenaError):
    """A `model.yaml` does not say what it must; names file, key, expected and found."""


class UnknownModel(AthenaError):
    """There is no folder of that name under `models/`."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Population(_Part):
    """Who is scored, and the SQL that says so and holds the truth."""

    labels: str = Field(pattern=r"^[a-z0-9_]+\.sql$")
    window_days: int = Field(gt=0)


class FeatureList(_Part):
    """Either the features by name, or every available one except some."""

    names: tuple[str, ...] | None = None
    all_except: tuple[str, ...] | None = None

    @model_validator(mode="after")
    def _one_way(self) -> "FeatureList":
        if (self.names is None) == (self.all_except is None):
            raise ValueError("exactly one of `names` and `all_except`")
        return self

    def resolve(self, available: Sequence[str]) -> tuple[str, ...]:
        """The list in the order of `names`, or of `available`; raises `InvalidModelSpec` for an unavailable name."""
        if self.names is not None:
            missing = sorted(set(self.names) - set(available))
            if missing:
                raise InvalidModelSpec(
                    f"features.names lists {missing[0]}",
                    expected=f"an available feature: {', '.join(available)}",
                    found=missing[0],
                    next_command="athena features",
                )
            return self.names
        return tuple(name for name in available if name not in set(self.all_except or ()))


class SnapshotPolicy(_Part):
    """Which days become labelled snapshots."""

    spacing_days: int = Field(gt=0)
    minimum_history_days: int = Field(gt=0)
    maximum_rows: int = Field(gt=0)
    """Of all snapshots together; a model learns from a part of the customers where they would be more."""


class Algorithm(_Part):
    """How the recipe fits: the parameters that the search may change, and those that it may not."""

    name: str
    seed: int = Field(ge=0)
    threads: int = Field(ge=1, le=2)
    defaults: Parameters
    fixed: Parameters


class Search(_Part):
    """Budget and space of the hyperparameter search; `trials` counts the declared defaults too."""

    trials: int = Field(ge=1, le=200)
    folds: int = Field(ge=1, le=10)
    maximum_rows: int = Field(gt=0)
    """Of the training rows, those of as many customers as fit are what trials are compared on."""
    space: dict[str, tuple[float | int, ...]]


class Season(_Part):
    """How the level is read at a new day; meaning and units of each number in `lifecycle/season.py`."""

    day_of_year_feature: str
    history_feature: str
    comparable_features: tuple[str, ...] = Field(min_length=1)
    season_sd: float = Field(gt=0)
    season_length_days: float = Field(gt=0)
    trend_sd: float = Field(ge=0)
    trend_length_days: float = Field(gt=0)
    noise_sd: float = Field(gt=0)
    censoring_sd: float = Field(ge=0)


class SliceSpec(_Part):
    """Groups of customers by one feature; a band is `[from, to)` and None is an open end."""

    name: str
    feature: str
    bands: dict[str, tuple[float | None, float | None]] = Field(min_length=1)


class SliceGate(_Part):
    """The least a group may get, where it is large enough to tell."""

    minimum_auc: float = Field(ge=0, le=1)
    minimum_customers: int = Field(gt=0)


class GateLimits(_Part):
    """What a version must reach before it may be registered."""

    minimum_auc: float = Field(ge=0, le=1)
    not_worse_than_baselines: bool
    maximum_brier: float = Field(gt=0, le=1)
    maximum_calibration_error: float = Field(gt=0, le=1)
    maximum_level_error: float = Field(gt=0, le=1)
    slices: SliceGate
    maximum_latency_ms: float = Field(gt=0)
    maximum_size_mb: float = Field(gt=0)


class ValueModel(_Part):
    """What a kept customer is worth: margin on the spend of one year, for `horizon_days`."""

    margin_rate: Decimal = Field(gt=0, le=1, decimal_places=4)
    horizon_days: int = Field(gt=0)
    spend_feature: str


class Reasons(_Part):
    """For how many customers reasons are exact, which features tell the same story, and which are never told.

    `silent` features may raise a probability and still be nothing to call a customer about.
    """

    top_k: int = Field(ge=0)
    silent: tuple[str, ...] = ()
    themes: dict[str, tuple[str, ...]]

    def is_silent(self, feature: str) -> bool:
        """Whether the feature is never told as a reason."""
        return any(fnmatchcase(feature, pattern) for pattern in self.silent)

    def theme(self, feature: str) -> str:
        """The first theme with a pattern that matches the feature; the feature itself where none does."""
        for theme, patterns in self.themes.items():
            if any(fnmatchcase(feature, pattern) for pattern in patterns):
                return theme
        return feature


class Monitoring(_Part):
    """Which alerts about a night stop its publication: `positive_rate`, `drift`. The others inform."""

    stop_on: tuple[Literal["positive_rate", "drift"], ...] = ()


class ModelSpec(_Part):
    """A model as its folder declares it."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{1,40}$")
    description: str = Field(min_length=20)
    owner: str = Field(min_length=2)
    team: str = Field(min_length=2)
    business_unit: str = Field(min_length=2)
    entity: Literal["customer_id"]
    population: Population
    features: FeatureList
    horizon_days: int = Field(gt=0)
    snapshots: SnapshotPolicy
    algorithm: Algorithm
    search: Search
    season: Season
    baselines: dict[str, tuple[str, ...] | Literal["all"]] = Field(min_length=1)
    slices: tuple[SliceSpec, ...]
    gates: GateLimits
    risk_tiers: dict[str, float] = Field(min_length=1)
    value: ValueModel
    retention_capacity: int = Field(gt=0)
    reasons: Reasons
    monitoring: Monitoring = Monitoring()
    folder: Path = Field(exclude=True)

    @field_validator("risk_tiers")
    @classmethod
    def _tiers_fall_to_zero(cls, tiers: dict[str, float]) -> dict[str, float]:
        limits = list(tiers.values())
        if limits != sorted(set(limits), reverse=True) or limits[-1] != 0 or limits[0] > 1:
            raise ValueError("falling thresholds from at most 1 to 0, so that every probability has one tier")
        return tiers

    @model_validator(mode="after")
    def _search_matches_defaults(self) -> "ModelSpec":
        unknown = sorted(set(self.search.space) - set(self.algorithm.defaults))
        if unknown:
            raise ValueError(f"search.space.{unknown[0]} among algorithm.defaults")
        return self

    @property
    def labels_sql(self) -> str:
        """Text of the SQL that gives population and truth."""
        path = self.folder / self.population.labels
        if not path.is_file():
            raise InvalidModelSpec(
                f"{self.name}/model.yaml: key population.labels",
                expected=f"a file {self.population.labels} in the model's folder",
                found="none",
            )
        return path.read_text(encoding="utf-8")

    def require(self, features: Iterable[str]) -> None:
        """Raise `InvalidModelSpec` unless every feature that season, slices, value and baselines name is there."""
        available = set(features)
        needed: list[tuple[str, str]] = [
            ("season.day_of_year_feature", self.season.day_of_year_feature),
            ("season.history_feature", self.season.history_feature),
            ("value.spend_feature", self.value.spend_feature),
        ]
        for name, listed in self.baselines.items():
            needed += [(f"baselines.{name}", feature) for feature in listed if listed != "all"]
        for key, feature in needed:
            if feature not in available:
                raise InvalidModelSpec(
                    f"{self.name}/model.yaml: key {key}",
                    expected="a feature of the model's own list",
                    found=feature,
                    next_command="athena features",
                )


def load_model_spec(folder: Path) -> ModelSpec:
    """Read and validate `<folder>/model.yaml`; raises `InvalidModelSpec`."""
    path = folder / "model.yaml"
    label = f"{folder.name}/model.yaml"
    if not path.is_file():
        raise InvalidModelSpec(f"{label} is missing", expected="one model.yaml per model folder", found="no file")
    try:
        content = load_yaml(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise InvalidModelSpec(f"{label} is not YAML", expected="a YAML mapping", found=str(error)) from None
    if not isinstance(content, Mapping):
        raise InvalidModelSpec(f"{label} is no mapping", expected="key: value lines", found=type(content).__name__)
    try:
        spec = ModelSpec(**{str(key): value for key, value in content.items()}, folder=folder)
    except ValidationError as error:
        raise _refuse(label, error) from None
    if spec.name != folder.name:
        raise InvalidModelSpec(f"{label}: key name", expected=folder.name, found=spec.name)
    return spec


def find_model(name: str, models: Path = MODELS) -> ModelSpec:
    """The model of that name; raises `UnknownModel`."""
    names = model_names(models)
    if name not in names:
        raise UnknownModel(
            f"there is no model {name}",
            expected=f"one of {', '.join(names) or 'no model at all'}",
            found=name,
            next_command="athena models",
        )
    return load_model_spec(models / name)


def model_names(models: Path = MODELS) -> tuple[str, ...]:
    """Names of the model folders, sorted."""
    return tuple(sorted(path.parent.name for path in models.glob("*/model.yaml")))


def _refuse(label: str, error: ValidationError) -> InvalidModelSpec:
    first: Any = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "the whole file"
    missing = first["type"] == "missing"
    extra = first["type"] == "extra_forbidden"
    expected = "the key" if missing else "no such key" if extra else first["msg"].removeprefix("Value error, ")
    return InvalidModelSpec(
        f"{label}: key {key}",
        expected=expected,
        found="nothing" if missing else repr(first["input"]) if len(repr(first["input"])) < 200 else "see the file",
        next_command=f"edit athena_assets/models/{label}",
    )
