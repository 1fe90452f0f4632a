"""Reads one Open Data Contract Standard file per table and answers what the rest of Athena asks of it.

The contract is the single source for DDL, `dagster/column_schema` metadata and blocking checks
(docs/architecture.md, rule 3). Standard fields are used where the standard has one: `required`, `primaryKey`, `enum`,
`logicalTypeOptions.minimum/maximum`, `relationships`, `quality`; Athena's own are `customProperties`:

* `history`: the table has a twin `<table>_history` of the same columns, holding the bulk before the first night;
* `partitioned_by`: the partition column of the nightly table (`night` unless said otherwise, `none` for no partitions);
* `null_limit` on a property: the largest share of nulls allowed in a column that may be null.
"""

import hashlib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from athena_assets.errors import AthenaError

CONTRACTS = Path(__file__).parent / "contracts"
SUFFIX = ".odcs.yaml"


class InvalidContract(AthenaError):
    """A contract file is not a valid contract of exactly one table."""


class UnknownContract(AthenaError):
    """No contract has that table's name."""


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


@dataclass(frozen=True)
class SqlRule:
    """A rule that only SQL can say: an aggregate over the partition that counts offending rows."""

    id: str
    description: str
    expression: str
    group: str


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
    text: str = field(default="", repr=False, compare=False)

    @property
    def address(self) -> str:
        """`schema.table`, the table's address in the warehouse and its asset key."""
        return f"{self.schema}.{self.table}"

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that change with any rule, type or description."""
        body = repr((self.version, self.columns, self.rules, self.history, self.partitioned_by))
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
        """The contract of `<table>_history`: same columns and rules, no partitions."""
        return replace(self, table=f"{self.table}_history", history=False, partitioned_by=None)

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
    null_limit = custom.get("null_limit")
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
        null_limit=None if null_limit is None else Decimal(str(null_limit)),
        unit=custom.get("unit"),
    )


def _sql_rule(item: Any, path: Path) -> SqlRule:
    return SqlRule(
        id=_need(item.name, path, "quality.name"),
        description=_need(item.description, path, f"quality.{item.name}.description").strip(),
        expression=_need(item.query, path, f"quality.{item.name}.query").strip(),
        group=item.dimension or "conformity",
    )
