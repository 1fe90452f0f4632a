"""Reads contracts from their files, one of the Open Data Contract Standard per table, and refuses what is none.

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

from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from athena_assets.errors import AthenaError
from athena_assets.yaml_text import load_yaml
from checks.contract import Band, Column, Contract, Severity, SqlRule

CONTRACTS = Path(__file__).parent / "contracts"
SUFFIX = ".odcs.yaml"


class InvalidContract(AthenaError):
    """A contract file is not a valid contract of exactly one table."""


class UnknownContract(AthenaError):
    """No contract has that table's name."""


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
        document = OpenDataContractStandard.model_validate(load_yaml(text))
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
