"""A table's contract: its columns, its rules, and what follows from them (DDL, the twin that holds the history).

The contract is the single source for DDL, `dagster/column_schema` metadata and checks (docs/architecture.md, rule 3).
`contract_files.py` reads it from its file.
"""

import hashlib
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Literal

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
