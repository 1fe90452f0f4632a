"""A source: what a retailer delivers, and the SQL that turns a delivered file into a raw table."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any, Literal

from athena_assets.sources.columns import refuse_unreadable, resolve_columns
from athena_assets.sources.errors import MappingInvalid, UnknownSource
from athena_assets.sources.files import ReadableFile, Shape, scan
from athena_assets.sources.mapping import ColumnMapping, SourceMapping, TableMapping, load_mapping
from athena_assets.sources.parsing import WHAT, as_read, constant, is_typed, parsed, quote_name, quote_text
from athena_assets.sources.tables import BOOLEAN, MONEY, RAW_TABLES, TEXT, TIMESTAMP, RawColumn, RawTable
from athena_assets.sql import parameters_used

HERE = Path(__file__).parent
KNOWN_AT = RawColumn("known_at", TIMESTAMP, required=True)
DeliveryKind = Literal["bulk", "nightly"]


@dataclass(frozen=True)
class RawSelect:
    """One SELECT with exactly a raw table's columns, technical first, and its parameters.

    `undeclared_columns` are those of the file that nobody declared and nothing reads.
    """

    table: str
    sql: str
    parameters: dict[str, Any]
    undeclared_columns: tuple[str, ...] = ()


@dataclass(frozen=True)
class DeliveredAs:
    """What a row needs to know of its delivery: identity, kind and the nights it covers (inclusive)."""

    delivery_id: str
    kind: DeliveryKind
    first_night: date
    last_night: date


@dataclass(frozen=True)
class Source:
    """A retailer's delivery, declared. `declared_in` is the file a person edits to change it."""

    mapping: SourceMapping
    declared_in: str

    @property
    def name(self) -> str:
        """The source's name, as settings and manifests say it."""
        return self.mapping.name

    @property
    def tables(self) -> tuple[str, ...]:
        """The canonical raw tables it delivers, in canonical order."""
        return tuple(name for name in RAW_TABLES if name in self.mapping.tables)

    @property
    def currency(self) -> str:
        """ISO 4217 code of all its money."""
        return self.mapping.currency

    @property
    def timezone(self) -> str:
        """IANA zone of the wall clock in which its timestamps are kept."""
        return self.mapping.timezone

    @property
    def reports_known_at(self) -> bool:
        """Whether delivered rows say when they became known."""
        return self.mapping.reports_known_at

    @property
    def corrects_orders(self) -> bool:
        """Whether an order that a later night brings with other content is a new version of it."""
        return self.mapping.corrects_orders

    @property
    def declared_aliases(self) -> Mapping[str, str]:
        """Every accepted other name of a delivered column -> the declared name."""
        return {
            alias: spec.delivered
            for table in self.mapping.tables.values()
            for spec in table.columns.values()
            if spec.delivered is not None
            for alias in spec.aliases
        }

    def delivers(self, table: str) -> bool:
        """Whether the source delivers the raw table itself (orders can also be derived from lines)."""
        return table in self.mapping.tables

    def repeats_earlier_nights(self, table: str, kind: DeliveryKind) -> bool:
        """Whether a delivery of this kind holds everything known so far, of which only the night's own rows are new."""
        return kind == "nightly" and self.mapping.tables[table].extract == "full"

    def table_of_file(self, file_name: str) -> str | None:
        """The table whose `files` patterns match a name in a delivered folder; None when none does."""
        for table in self.tables:
            if any(fnmatch(file_name, pattern) for pattern in self.mapping.tables[table].files):
                return table
        return None

    def with_aliases(self, aliases: Mapping[str, str], *, table: str | None = None) -> "Source":
        """This source with further declared aliases, `{new name: declared name}`, of one table or of every one.

        Raises `MappingInvalid` for an alias of a column that the source does not declare there.
        """
        tables = [name for name in self.mapping.tables if table in (None, name)]
        declared = {spec.delivered for name in tables for spec in self.mapping.tables[name].columns.values()}
        for alias, name in aliases.items():
            if name not in declared:
                raise MappingInvalid(
                    f"alias {alias!r} of {self.name} points to nothing",
                    expected=", ".join(sorted(n for n in declared if n is not None)),
                    found=name,
                )
        document = self.mapping.model_dump(by_alias=True)
        for chosen in tables:
            for spec in document["tables"][chosen]["columns"].values():
                more = [alias for alias, name in aliases.items() if name == spec["from"]]
                spec["aliases"] = (*spec["aliases"], *more)
        return replace(self, mapping=SourceMapping.model_validate(document))

    def raw_select(
        self,
        table: str,
        file: ReadableFile,
        shape: Shape,
        delivered: DeliveredAs,
        *,
        file_name: str,
        rows_before: int = 0,
    ) -> RawSelect:
        """The SELECT that reads one delivered file as raw rows.

        `source_row` counts over the files of a table in one delivery: `rows_before` is how many rows the
        earlier files hold.

        `night` is the night on which a row became known. Where the source reports no delivery times, a
        row of a bulk delivery is declared known at the midnight after its event, a row of a nightly
        delivery at the midnight that ends the night. Rows of a nightly full extract belong to nights as those of
        a bulk delivery do. Rows whose time does not parse, and events after the
        delivery's last night, count for that last night: nothing can be known later than it came.

        Raises `ColumnsDiffer` when a declared column is not in the file, or not for certain, and
        `ColumnUnreadable` when one holds structures, lists or bytes.
        """
        mapping = self.mapping.tables[table]
        found = resolve_columns(mapping, shape.names, file=file_name, table=table, declared_in=self.declared_in)
        resolved = found.names
        raw = RAW_TABLES[table]
        columns = (*raw.columns, KNOWN_AT) if self.reports_known_at else raw.columns
        refuse_unreadable(columns, resolved, dict(shape.columns), file=file_name, table=table)
        texts, values, faults = [], [], []
        for column in columns:
            spec = mapping.columns.get(column.name)
            name = quote_name(f"text_{column.name}")
            if spec is None:
                values.append(f"CAST(NULL AS {column.type}) AS {column.name}")
            elif spec.constant is not None:
                values.append(f"{constant(column, spec.constant)} AS {column.name}")
            else:
                delivered_type = shape.type_of(resolved[column.name])
                texts.append(f"{as_read(resolved[column.name], delivered_type, column, self.timezone)} AS {name}")
                values.append(f"{parsed(name, column, spec, delivered_type)} AS value_{column.name}, {name}")
                if spec.starts_with is None and (column.type != TEXT or column.required):
                    faults.append(_fault(column, spec, resolved[column.name].strip(), delivered_type))
        content = ", ".join(_content(column, mapping) for column in raw.columns)
        known_at, night = self._knowledge(raw, delivered.kind)
        rows = scan(file, shape, sorted(set(resolved.values())))
        sql = (
            f"WITH delivered AS (SELECT source_row, {', '.join(texts)} FROM {rows}),\n"
            f"typed AS (SELECT source_row, {', '.join(values)} FROM delivered),\n"
            f"judged AS (SELECT *, nullif(concat_ws('; ', {', '.join(faults)}), '') AS parse_error FROM typed),\n"
            f"known AS (SELECT source_row, parse_error, {content}, {known_at} AS known_at FROM judged)\n"
            f"SELECT CAST($delivery_id AS VARCHAR) AS delivery_id, source_row + {rows_before} AS source_row, "
            f"{night} AS night, known_at, "
            f"parse_error, {', '.join(column.name for column in raw.columns)} FROM known"
        )
        parameters: dict[str, Any] = {
            "path": str(file.path),
            "delivery_id": delivered.delivery_id,
            "first_night": delivered.first_night,
            "last_night": delivered.last_night,
        }
        return RawSelect(table, sql, parameters_used(sql, parameters), found.undeclared)

    def _knowledge(self, raw: RawTable, kind: DeliveryKind) -> tuple[str, str]:
        """SQL of `known_at` (over the judged columns) and of `night` (over `known_at`)."""
        last_night = "CAST($last_night AS DATE)"
        last = f"CAST({last_night} + 1 AS TIMESTAMP)"
        only_the_night = kind == "nightly" and not self.repeats_earlier_nights(raw.name, kind)
        night = last_night if only_the_night else f"least(CAST(known_at AS DATE) - 1, {last_night})"
        if self.reports_known_at:
            return f"coalesce(value_known_at, {last})", night
        if only_the_night:
            return last, night
        if raw.event_column is None:
            return "CAST(CAST($first_night AS DATE) + 1 AS TIMESTAMP)", night
        event = _content_value(raw.column(raw.event_column), self.mapping.tables[raw.name])
        return f"least(coalesce(CAST(CAST({event} AS DATE) + 1 AS TIMESTAMP), {last}), {last})", night


def _fault(column: RawColumn, spec: ColumnMapping, delivered: str, delivered_type: str) -> str:
    """SQL of the complaint about one value, NULL when there is none."""
    text, value = quote_name(f"text_{column.name}"), f"value_{column.name}"
    complaints = []
    if column.required:
        complaints.append(f"WHEN {text} IS NULL THEN {quote_text(f'{delivered} is empty')}")
    if column.type != TEXT and not is_typed(delivered_type, column):
        excused = f" AND {text} NOT IN ({', '.join(map(quote_text, spec.nulls))})" if spec.nulls else ""
        wrong = f"{quote_text(f'{delivered}: ')} || {text} || {quote_text(f' is not {WHAT[column.type]}')}"
        complaints.append(f"WHEN {text} IS NOT NULL AND {value} IS NULL{excused} THEN {wrong}")
    return f"CASE {' '.join(complaints)} END" if complaints else "NULL"


def _content_value(column: RawColumn, mapping: TableMapping) -> str:
    spec = mapping.columns.get(column.name)
    return column.name if spec is None or spec.constant is not None else f"value_{column.name}"


def _content(column: RawColumn, mapping: TableMapping) -> str:
    """SQL of one content column; positive quantities and totals of returns become negative here."""
    value = _content_value(column, mapping)
    if mapping.returns == "positive" and column.name in ("quantity", "total_order_amount"):
        flag = _content_value(RawColumn("is_return", BOOLEAN), mapping)
        value = f"CASE WHEN {flag} THEN -{value} ELSE {value} END"
        if column.type == MONEY:
            value = f"CAST({value} AS {MONEY})"
    return value if value == column.name else f"{value} AS {column.name}"


def _simulator() -> Source:
    """The simulator writes the canonical tables themselves, with the time at which each row was known."""
    tables = {
        name: TableMapping(
            files=(f"{name}.parquet", f"{name}-*.parquet"),
            columns={
                column: ColumnMapping.model_validate({"from": column})
                for column in (*(c.name for c in table.columns), "known_at")
            },
        )
        for name, table in RAW_TABLES.items()
    }
    mapping = SourceMapping(
        name="simulator",
        description="A seeded, simulated retailer with campaigns, service contacts and a known truth",
        currency="GBP",
        timezone="Europe/London",
        business_country="United Kingdom",
        trades=False,
        reports_known_at=True,
        corrects_orders=True,
        max_unparsed_share=0.0,
        tables=tables,
    )
    return Source(mapping, "athena_assets/sources/source.py")


@cache
def _shipped() -> dict[str, Source]:
    declared = HERE / "online_retail_ii" / "mapping.yaml"
    retail = Source(load_mapping(declared), "athena_assets/sources/online_retail_ii/mapping.yaml")
    return {source.name: source for source in (_simulator(), retail)}


def source_named(name: str, mapped: Path | None = None) -> Source:
    """The source called `name`: a shipped one, or one whose mapping lies in the folder `mapped`.

    Raises `UnknownSource` listing those there are, `MappingInvalid` when its YAML does not hold.
    """
    shipped = _shipped()
    if name in shipped:
        return shipped[name]
    declared = sorted(mapped.glob("*.yaml")) if mapped is not None and mapped.is_dir() else []
    for path in declared:
        if path.stem == name:
            return mapped_source(path)
    raise UnknownSource(
        f"no source is called {name!r}",
        expected=", ".join([*sorted(shipped), *(path.stem for path in declared)]),
        found=name,
        next_command="declare your own files: athena load --mapping <mapping.yaml> <file>",
    )


def mapped_source(path: Path) -> Source:
    """The source that a mapping YAML declares; its name must not be that of a shipped source."""
    mapping = load_mapping(path)
    if mapping.name in _shipped():
        raise MappingInvalid(
            f"mapping {path}: name is taken",
            expected=f"a name other than {', '.join(sorted(_shipped()))}",
            found=mapping.name,
        )
    return Source(mapping, str(path))
