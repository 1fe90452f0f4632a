"""Reads one Open Data Contract Standard file per table and answers what the rest of Athena asks of it.

The contract is the single source for DDL, `dagster/column_schema` metadata and checks (docs/architecture.md, rule 3).
Standard fields are used where the standard has one: `required`, `primaryKey`, `enum`,
`logicalTypeOptions.minimum/maximum`, `relationships`, `quality` (with `severity`, `unit`, `mustBe...`), and
`slaProperties` (`frequency` in `open_day`, `noticePeriod` in `d`). Athena's own are `customProperties`:

* `history`: the table has a twin `<table>_history` of the same columns, holding the bulk before the first night;
* `partitioned_by`: the partition column of the nightly table (`night` unless said otherwise, `none` for no partitions);
* `null_limit` on a property: the largest share of nulls allowed in a column that may be null; `null_alert` the share
  above which somebody is told;
* `on_failure: quarantine` on a property: rows outside of its range go to quarantine with the rule's id instead of
  refusing the partition, with the words of `reason`;
* `within_history` on a quality rule: its figure is compared with its own figures of earlier partitions (`Band`).
"""

import hashlib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, Literal

from athena_assets.errors import AthenaError

CONTRACTS = Path(__file__).parent / "contracts"
SUFFIX = ".odcs.yaml"


class InvalidContract(AthenaError):
    """A contract file is not a valid contract of exactly one table."""


class UnknownContract(AthenaError):
    """No contract has that table's name."""


Severity = Literal["ERROR", "WARN"]
"""ERROR blocks everything downstream; WARN informs. A check never mixes the two."""


@dataclass(frozen=True)
class Band:
    """What a figure may be, given what it was on earlier partitions.

    The band is centre ± max(`tolerance`, `spread` robust standard deviations of the earlier figures around it). Where
    the figure is an average over rows (`per_row`), deviations are scaled by the square root of the rows behind each, so
    that a quiet day may vary more than a busy one. On the scale `log` (counts, prices, quantities) deviations are
    ratios, and the tolerance is the factor that is always allowed, up and down.
    """

    tolerance: Decimal
    """The deviation that is always allowed, in the figure's own unit; as a share of the centre when `relative`."""
    relative: bool = False
    spread: Decimal = Decimal(0)
    partitions: int = 28
    """How many earlier partitions are looked at."""
    at_least: int = 7
    """With fewer earlier figures the rule is not evaluated, unless a centre is `assumed`."""
    centre: Literal["median", "mean"] = "median"
    side: Literal["both", "above", "below"] = "both"
    per_row: bool = False
    minimum_rows: int = 1
    """A partition with fewer rows is not evaluated, and is no history for later ones."""
    scale: Literal["linear", "log"] = "linear"
    season: bool = False
    """Whether the same week a year before widens the band: what Christmas was then, it may be now."""
    once: bool = False
    """Whether a figure that somebody was told of widens the band afterwards: what lasts is told once, what goes further
    again. For rules that inform."""
    assumed: Decimal | None = None
    """The centre where there are fewer than `at_least` earlier figures, for a figure that is known beforehand."""

    def __post_init__(self) -> None:
        if self.scale == "log" and (self.relative or self.tolerance < 1):
            raise ValueError("on the scale log the tolerance is a factor of at least 1, and never relative")


@dataclass(frozen=True)
class Column:
    """One column and every rule that the contract states about it."""

    name: str
    type: str
    description: str
    required: bool = False
    key: bool = False
    minimum: Decimal | str | None = None
    maximum: Decimal | str | None = None
    accepted: tuple[str, ...] = ()
    references: str | None = None
    """`schema.table.column` that every non-null value must be found in."""
    null_limit: Decimal | None = None
    unit: str | None = None
    null_alert: Decimal | None = None
    quarantines: bool = False
    """Rows outside of the column's range are quarantined at cleaning instead of refusing the partition."""
    reason: str | None = None
    """Why a row outside of the range cannot be kept, for the quarantine."""


@dataclass(frozen=True)
class SqlRule:
    """A rule that only SQL can say: an aggregate over the partition that counts offending rows, or a figure."""

    id: str
    description: str
    expression: str
    group: str
    severity: Severity = "ERROR"
    limit: Decimal = Decimal(0)
    """Largest count of offending rows, or largest share of the rows when `relative`."""
    relative: bool = False
    band: Band | None = None
    """When given, the expression is a figure that must stay within its own history."""


@dataclass(frozen=True)
class Contract:
    """The contract of one table."""

    schema: str
    table: str
    version: str
    description: str
    grain: str
    owner: str
    consumers: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[SqlRule, ...] = ()
    history: bool = False
    partitioned_by: str | None = "night"
    rows_every_open_day: bool = False
    """Whether a partition without rows is a fault on a day on which the retailer trades."""
    notice_days: int = 0
    """How long before it takes effect a breaking change has to be announced."""
    notice: tuple[str, str] | None = None
    """When the breaking change that made this version was announced, and when it takes effect (`YYYY-MM-DD`)."""
    ends: bool = False
    """Whether the notice is of the table's removal instead (`of: removal`), which no version can announce."""
    text: str = field(default="", repr=False, compare=False)

    @property
    def address(self) -> str:
        """`schema.table`, the table's address in the warehouse and its asset key."""
        return f"{self.schema}.{self.table}"

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that change with any rule, type or description."""
        body = repr(
            (self.version, self.columns, self.rules, self.history, self.partitioned_by, self.rows_every_open_day)
        )
        return hashlib.sha256(body.encode()).hexdigest()[:16]

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the columns that together identify a row."""
        return tuple(column.name for column in self.columns if column.key)

    def ddl(self) -> str:
        """`CREATE TABLE IF NOT EXISTS` with the contract's columns and types."""
        columns = ", ".join(f'"{column.name}" {column.type}' for column in self.columns)
        return f"CREATE TABLE IF NOT EXISTS {self.address} ({columns})"

    def twin(self) -> "Contract":
        """The contract of `<table>_history`: same columns, and the rules that can block without an earlier partition.

        Nobody is told of what was odd years ago: `athena load --check` shows it before the history is landed.
        """
        rules = tuple(
            rule
            for rule in self.rules
            if rule.severity == "ERROR" and rule.band is None and "$partition" not in rule.expression
        )
        return replace(
            self,
            table=f"{self.table}_history",
            history=False,
            partitioned_by=None,
            rows_every_open_day=False,
            rules=rules,
        )

    def named(self, schema: str, table: str) -> "Contract":
        """The same contract for another table: how a template serves every model."""
        return replace(self, schema=schema, table=table)

    def with_columns(self, columns: tuple[Column, ...]) -> "Contract":
        """The contract with further columns at its end."""
        return replace(self, columns=self.columns + columns)


@cache
def load_contract(name: str) -> Contract:
    """The contract in `contracts/<name>.odcs.yaml`, for instance `orders.orders`."""
    path = CONTRACTS / f"{name}{SUFFIX}"
    if not path.exists():
        known = ", ".join(contract_names())
        raise UnknownContract(
            f"table {name} has no contract",
            expected=f"one of {known}",
            found=f"no file checks/contracts/{path.name}",
            next_command=f"write checks/contracts/{path.name} (CONTRIBUTING.md, add a table)",
        )
    return parse_contract(path)


def contract_names() -> list[str]:
    """Names of all contracts, sorted."""
    return sorted(path.name.removesuffix(SUFFIX) for path in CONTRACTS.glob(f"*{SUFFIX}"))


def parse_contract(path: Path) -> Contract:
    """Parse and validate one file; raises `InvalidContract` naming file and key."""
    import yaml
    from open_data_contract_standard.model import OpenDataContractStandard
    from pydantic import ValidationError

    text = path.read_text(encoding="utf-8")
    try:
        document = OpenDataContractStandard.model_validate(yaml.safe_load(text))
    except (ValidationError, yaml.YAMLError) as error:
        raise InvalidContract(
            f"{path.name} is not an ODCS contract", expected="a valid ODCS 3 document", found=str(error)
        ) from None
    schemas = document.schema_ or []
    if len(schemas) != 1 or not schemas[0].properties:
        raise InvalidContract(
            f"{path.name} must describe exactly one table",
            expected="one entry under `schema` with `properties`",
            found=f"{len(schemas)} entries",
        )
    (table,) = schemas
    schema_name, _, table_name = path.name.removesuffix(SUFFIX).partition(".")
    if table.physicalName != f"{schema_name}.{table_name}":
        raise InvalidContract(
            f"{path.name} names another table",
            expected=f"physicalName: {schema_name}.{table_name}",
            found=f"physicalName: {table.physicalName}",
        )
    custom = _custom(table.customProperties)
    promises = {item.property: item for item in document.slaProperties or []}
    frequency, period = promises.get("frequency"), promises.get("noticePeriod")
    notice = _custom(document.customProperties).get("notice")
    partitioned_by = custom.get("partitioned_by", "night")
    return Contract(
        schema=schema_name,
        table=table_name,
        version=_need(document.version, path, "version"),
        description=_need(table.description, path, "schema.description").strip(),
        grain=_need(table.dataGranularityDescription, path, "schema.dataGranularityDescription").strip(),
        owner=_need(getattr(document.team, "name", None), path, "team.name"),
        consumers=tuple(role.role for role in document.roles or [] if role.role),
        columns=tuple(_column(item, path) for item in table.properties or []),
        rules=tuple(_sql_rule(item, path) for item in table.quality or []),
        history=bool(custom.get("history", False)),
        partitioned_by=None if partitioned_by == "none" else partitioned_by,
        rows_every_open_day=frequency is not None and frequency.unit == "open_day",
        notice_days=int(str(period.value)) if period is not None else 0,
        notice=(str(notice["announced"]), str(notice["effective"])) if notice else None,
        ends=bool(notice and notice.get("of") == "removal"),
        text=text,
    )


def _custom(properties: list[Any] | None) -> dict[str, Any]:
    return {item.property: item.value for item in properties or []}


def _need(value: str | None, path: Path, key: str) -> str:
    if not value:
        raise InvalidContract(f"{path.name} lacks {key}", expected=f"a value for {key}", found="nothing")
    return value


def _bound(value: Any) -> Decimal | str | None:
    if value is None or isinstance(value, str):
        return value
    return Decimal(str(value))


def _column(item: Any, path: Path) -> Column:
    name = _need(item.name, path, "properties.name")
    custom = _custom(item.customProperties)
    options = item.logicalTypeOptions or {}
    references = [relation.to for relation in item.relationships or []]
    return Column(
        name=name,
        type=_need(item.physicalType, path, f"{name}.physicalType"),
        description=_need(item.description, path, f"{name}.description").strip(),
        required=bool(item.required) or bool(item.primaryKey),
        key=bool(item.primaryKey),
        minimum=_bound(options.get("minimum")),
        maximum=_bound(options.get("maximum")),
        accepted=tuple(str(value.value) for value in item.enum or []),
        references=references[0] if references else None,
        null_limit=_share(custom.get("null_limit")),
        unit=custom.get("unit"),
        null_alert=_share(custom.get("null_alert")),
        quarantines=custom.get("on_failure") == "quarantine",
        reason=custom.get("reason"),
    )


def _share(value: Any) -> Decimal | None:
    return None if value is None else Decimal(str(value))


_SEVERITIES: dict[str, Severity] = {"error": "ERROR", "warning": "WARN"}


def _sql_rule(item: Any, path: Path) -> SqlRule:
    name = _need(item.name, path, "quality.name")
    severity = _SEVERITIES.get(item.severity or "error")
    if severity is None:
        raise InvalidContract(
            f"{path.name}: rule {name} has no such severity",
            expected=" or ".join(_SEVERITIES),
            found=str(item.severity),
        )
    band = _custom(item.customProperties).get("within_history")
    limit = item.mustBeLessOrEqualTo if item.mustBeLessOrEqualTo is not None else item.mustBe
    if band is None and limit is None:
        raise InvalidContract(
            f"{path.name}: rule {name} has no limit",
            expected="mustBe, mustBeLessOrEqualTo or the custom property within_history",
            found="none of them",
        )
    relative = item.unit == "percent"
    return SqlRule(
        id=name,
        description=_need(item.description, path, f"quality.{name}.description").strip(),
        expression=_need(item.query, path, f"quality.{name}.query").strip(),
        group=item.dimension or "conformity",
        severity=severity,
        limit=Decimal(str(limit or 0)) / (100 if relative else 1),
        relative=relative,
        band=_band(band, path, name) if band is not None else None,
    )


def _band(stated: Any, path: Path, rule: str) -> Band:
    exact = {key: Decimal(str(value)) for key, value in stated.items() if key in ("tolerance", "spread", "assumed")}
    try:
        return Band(**{**stated, **exact})
    except (TypeError, ValueError) as error:
        raise InvalidContract(
            f"{path.name}: within_history of rule {rule} is not valid",
            expected=", ".join(Band.__dataclass_fields__),
            found=str(error),
        ) from None
