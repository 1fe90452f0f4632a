"""The mapping: how one source's files become the canonical raw tables, as data.

Both shipped and mapped sources are written in this one form, so that Online Retail II enjoys nothing that
a retailer of your own could not declare too.
"""

from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from athena_assets.sources.calendar import TradingCalendar
from athena_assets.sources.errors import MappingInvalid
from athena_assets.sources.tables import RAW_TABLES
from athena_assets.yaml_text import load_yaml


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class ColumnMapping(_Strict):
    """Where one canonical column comes from: a delivered column (`from`) or a `constant`, never both."""

    delivered: str | None = Field(default=None, alias="from")
    aliases: tuple[str, ...] = ()
    constant: bool | int | str | None = None
    prefix: str = ""
    uppercase: bool = False
    starts_with: str | None = None
    formats: tuple[str, ...] = ()
    nulls: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnMapping":
        if (self.delivered is None) == (self.constant is None):
            raise ValueError("needs exactly one of `from` (a delivered column) and `constant`")
        if self.aliases and self.delivered is None:
            raise ValueError("`aliases` are other names of the delivered column: they need `from`")
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """The delivered column's name and every declared alias of it."""
        return () if self.delivered is None else (self.delivered, *self.aliases)


class TableMapping(_Strict):
    """One delivered table.

    `files` are glob patterns, used where a delivery is a folder; `ignore` names delivered columns that are
    known and not used; `returns` says whether returned quantities come signed or positive beside a flag;
    `extract` says whether a nightly file holds the night's rows, or in full everything known so far.
    """

    files: tuple[str, ...] = ("*",)
    columns: dict[str, ColumnMapping]
    ignore: tuple[str, ...] = ()
    returns: Literal["signed", "positive"] = "signed"
    delimiter: str = Field(default=",", min_length=1, max_length=1)
    extract: Literal["incremental", "full"] = "incremental"


class SourceMapping(_Strict):
    """A whole source.

    `max_unparsed_share` is the share of rows above which a file is refused; `business_country` is the home
    country as its customers write it; `trades` is false for a closed data set, which will have no further nights;
    `calendar` says on which days the retailer does not trade; `corrects_orders` that an order which a later night
    brings again, whole and with other content, is a new version of it.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    description: str
    currency: str = Field(pattern=r"^[A-Z]{3}$")
    timezone: str
    business_country: str | None = None
    trades: bool = True
    calendar: TradingCalendar = TradingCalendar()
    reports_known_at: bool = False
    corrects_orders: bool = False
    max_unparsed_share: float = Field(default=0.01, ge=0, lt=1)
    tables: dict[str, TableMapping]

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError("expected an IANA time zone, for instance Europe/London")
        return ZoneInfo(value).key

    @model_validator(mode="after")
    def _canonical(self) -> "SourceMapping":
        if "order_lines" not in self.tables:
            raise ValueError("expected a table order_lines: every other table can be absent or derived")
        if self.corrects_orders and not (self.reports_known_at and "orders" in self.tables):
            raise ValueError("corrects_orders: expected a table orders and reports_known_at, which tell versions apart")
        for table_name, mapping in self.tables.items():
            if table_name not in RAW_TABLES:
                raise ValueError(f"tables.{table_name}: expected one of {', '.join(RAW_TABLES)}")
            table = RAW_TABLES[table_name]
            allowed = {column.name for column in table.columns}
            required = {column.name for column in table.columns if column.required}
            if self.reports_known_at:
                allowed.add("known_at")
                required.add("known_at")
            unknown = sorted(set(mapping.columns) - allowed)
            if unknown:
                raise ValueError(
                    f"tables.{table_name}.columns.{unknown[0]}: expected one of {', '.join(sorted(allowed))}"
                )
            missing = sorted(required - set(mapping.columns))
            if missing:
                raise ValueError(f"tables.{table_name}.columns: missing {', '.join(missing)}")
            _one_meaning_per_name(table_name, mapping)
        return self


def _one_meaning_per_name(table_name: str, mapping: TableMapping) -> None:
    """A delivered name may feed several canonical columns, but only under the same list of aliases."""
    meaning: dict[str, frozenset[str]] = {}
    for column, spec in mapping.columns.items():
        for name in spec.names:
            names = frozenset(spec.names)
            if meaning.setdefault(name, names) != names:
                raise ValueError(
                    f"tables.{table_name}.columns.{column}: {name!r} is declared twice with different aliases"
                )
            if name in mapping.ignore:
                raise ValueError(f"tables.{table_name}.ignore: {name!r} is also mapped to {column}")


def load_mapping(path: Path) -> SourceMapping:
    """Read and validate a mapping YAML.

    Raises `MappingInvalid` naming the file, the key and what was expected there.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise MappingInvalid(
            f"mapping {path} cannot be read",
            expected="a YAML file in UTF-8",
            found=str(error),
            next_command="give the path of the mapping: athena load --mapping <file.yaml>",
        ) from None
    try:
        document = load_yaml(text)
    except yaml.YAMLError as error:
        raise MappingInvalid(
            f"mapping {path} is not YAML", expected="a YAML document", found=str(error).replace("\n", " ")
        ) from None
    if not isinstance(document, dict):
        raise MappingInvalid(
            f"mapping {path} is not a mapping",
            expected="keys name, description, currency, timezone, tables",
            found=type(document).__name__,
        )
    try:
        return SourceMapping.model_validate(document)
    except ValidationError as error:
        raise _invalid(path, error) from None


def _invalid(path: Path, error: ValidationError) -> MappingInvalid:
    problems = []
    for problem in error.errors(include_url=False):
        key = ".".join(str(part) for part in problem["loc"]) or "(whole file)"
        problems.append(f"{key}: {problem['msg'].removeprefix('Value error, ')}")
    first = error.errors(include_url=False)[0]
    return MappingInvalid(
        f"mapping {path} does not describe a source",
        expected="; ".join(problems),
        found=repr(first.get("input"))[:200],
        next_command=f"correct the key and try again: athena load --check --mapping {path}",
    )
