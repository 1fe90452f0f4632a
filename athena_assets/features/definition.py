"""One feature: the YAML header inside the leading SQL comment of its file, and the expression below it.

The expression is what SQL would say over one customer's rows of one table (`base/<table>.sql` lists the columns):
aggregates see the customer's rows, also when there are none, so `count` is then 0 and every other aggregate null.
`{other_feature}` stands for another feature's value.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from athena_assets.errors import AthenaError
from athena_assets.yaml_text import load_yaml

DEFINITIONS = Path(__file__).parent / "definitions"

NO_NULLS = "none allowed"

_HEADER = re.compile(r"\A/\* ---\n(?P<header>.*?)\n--- \*/\n(?P<body>.*)\Z", re.DOTALL)
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_COMMENT = re.compile(r"/\*.*?\*/|--[^\n]*", re.DOTALL)


class InvalidFeature(AthenaError):
    """A file under `features/` does not say what it must; names file, key, expected and found."""


class Words(BaseModel):
    """How the value is said to the retention team.

    Templates take `{value}`, `{percent}` and `{s}`, the plural's ending.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    phrase: str = Field(min_length=3)
    pivot: float
    """From here on a value reads as high where no typical value is given."""
    high: str = Field(min_length=3)
    low: str = Field(min_length=3)
    zero: str | None = None
    """Said of exactly 0, where "only 0 orders" would read badly."""
    missing: str | None = None
    """Said of null; required where null is allowed."""

    @field_validator("high", "low")
    @classmethod
    def _only_known_placeholders(cls, template: str) -> str:
        unknown = set(_PLACEHOLDER.findall(template)) - {"value", "percent", "s"}
        if unknown:
            raise ValueError(f"only the placeholders {{value}}, {{percent}} and {{s}}, not {sorted(unknown)}")
        return template


class Header(BaseModel):
    """The declared part of a feature."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{2,62}$")
    description: str = Field(min_length=20)
    table: Literal["orders", "service_contacts", "campaign_contacts", "customers", "context"]
    dtype: Literal["INTEGER", "BIGINT", "DOUBLE", "BOOLEAN", "DECIMAL(18,4)"]
    unit: Literal["days", "orders", "contacts", "items", "months", "channels", "currency", "ratio", "share", "flag"]
    window: str = Field(pattern=r"^(\d+ days|days \d+ to \d+|history|none)$")
    null_policy: str = Field(pattern=rf"^({NO_NULLS}|null means .+)$")
    null_limit: float | None = Field(default=None, gt=0, lt=1)
    """Share of nulls above which a night is not published; where nulls mean something, else 5 %."""
    null_alert: float | None = Field(default=None, gt=0, lt=1)
    """Share of nulls above which somebody is told; where nulls mean something, else 2 %."""
    bounds: tuple[float | None, float | None]
    """Smallest and largest possible value, inclusive; null is an open end."""
    owner: str = Field(min_length=2)
    since: str = Field(pattern=r"^\d+\.\d+\.\d+$")
    words: Words

    @field_validator("bounds")
    @classmethod
    def _ordered(cls, bounds: tuple[float | None, float | None]) -> tuple[float | None, float | None]:
        low, high = bounds
        if low is not None and high is not None and low > high:
            raise ValueError("[min, max] with min <= max")
        return bounds

    @model_validator(mode="after")
    def _words_for_null(self) -> "Header":
        if self.nullable and self.words.missing is None:
            raise ValueError("words.missing, because null_policy lets the value be null")
        if not self.nullable and (self.null_limit is not None or self.null_alert is not None):
            raise ValueError("no null_limit and no null_alert, because null_policy allows no nulls")
        if not self.nullable and self.words.missing is not None:
            raise ValueError("no words.missing, because null_policy allows no nulls")
        return self

    @property
    def nullable(self) -> bool:
        """Whether a null has a meaning."""
        return self.null_policy != NO_NULLS


class FeatureDefinition(Header):
    """A feature: its header and `expression`, the SQL below it without comments."""

    expression: str = Field(min_length=1)

    @property
    def references(self) -> tuple[str, ...]:
        """Names of the features that the expression builds on, in order of appearance."""
        return tuple(dict.fromkeys(_PLACEHOLDER.findall(self.expression)))


def split_header(path: Path) -> tuple[dict[str, Any], str]:
    """The YAML header and the SQL below it; raises `InvalidFeature` where either is missing or no YAML."""
    match = _HEADER.match(path.read_text(encoding="utf-8"))
    if match is None:
        raise InvalidFeature(
            f"{path.name} has no header",
            expected="a first line '/* ---', YAML, a line '--- */', then SQL",
            found="another beginning",
            next_command="copy the header of another file in that folder",
        )
    try:
        header = load_yaml(match["header"])
    except yaml.YAMLError as error:
        raise InvalidFeature(
            f"{path.name}: the header is not YAML", expected="YAML between '/* ---' and '--- */'", found=str(error)
        ) from None
    if not isinstance(header, dict):
        raise InvalidFeature(
            f"{path.name}: the header is no mapping", expected="key: value lines", found=type(header).__name__
        )
    return header, _COMMENT.sub("", match["body"]).strip().removesuffix(";").strip()


def refuse(path: Path, error: ValidationError) -> InvalidFeature:
    """The first fault of a header, as an error that names file, key, expected and found."""
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"]) or "header"
    missing = first["type"] == "missing"
    return InvalidFeature(
        f"{path.name}: key {key}",
        expected="the key" if missing else first["msg"].removeprefix("Value error, "),
        found="nothing" if missing else repr(first["input"]),
        next_command=f"edit {path.parent.name}/{path.name}",
    )


def parse_definition(path: Path) -> FeatureDefinition:
    """Read and validate one file; raises `InvalidFeature`."""
    header, body = split_header(path)
    try:
        definition = FeatureDefinition(**header, expression=body)
    except ValidationError as error:
        raise refuse(path, error) from None
    if definition.name != path.stem:
        raise InvalidFeature(f"{path.name}: key name", expected=path.stem, found=definition.name)
    return definition


@cache
def load_definitions(folder: Path = DEFINITIONS) -> tuple[FeatureDefinition, ...]:
    """Every definition, by name; raises `InvalidFeature` for the first file or reference that is wrong."""
    definitions = {path.stem: parse_definition(path) for path in sorted(folder.glob("*.sql"))}
    for name in definitions:
        _follow(name, definitions, ())
    return tuple(definitions.values())


def _follow(name: str, definitions: Mapping[str, FeatureDefinition], path: tuple[str, ...]) -> None:
    """Refuse a reference to nothing, and a circle."""
    if name in path:
        raise InvalidFeature(f"feature {name} refers to itself", expected="no circle", found=" -> ".join((*path, name)))
    for reference in definitions[name].references:
        if reference not in definitions:
            raise InvalidFeature(
                f"feature {name} refers to {{{reference}}}",
                expected=f"one of {', '.join(definitions)}",
                found=reference,
            )
        _follow(reference, definitions, (*path, name))
