"""Which new column of a refused file is likely to be a missing one under another name, and how likely.

Told by name, by type and by distribution, against what the last good delivery of the table held. It is told and
never used: that one column is another one under a new name is for a person to say (`aliases.py`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import numpy as np

from athena_assets.sources.files import ReadableFile, Shape, scan
from athena_assets.sources.likeness import Distance, Kind, Sample, distance, name_likeness
from athena_assets.sources.mapping import ColumnMapping, TableMapping
from athena_assets.sources.parsing import as_read, parsed, quote_name
from athena_assets.sources.source import RawSelect, Source
from athena_assets.sources.tables import BOOLEAN, DATE, RAW_TABLES, TEXT, TIMESTAMP, RawColumn
from athena_assets.wording import one_line

SAMPLED_ROWS = 20_000
"""Rows of a column that are compared, chosen by a hash of their position: the same ones each time."""

ENOUGH_ROWS = 1_000
"""Earlier deliveries are added until there are so many rows to compare with."""

NIGHTS_COMPARED = 28
"""Of a delivery over many nights, the last ones: the retailer of two years ago is another one."""

NAMES_ALIKE = 0.6
CONTENT_ALIKE = 0.5
PLAUSIBLE = 0.5
"""Likeness, 0 to 1, from which a name, a content, and a column on the whole are said to look like the missing one.

Content that is all but the same speaks for itself, whatever the name; no name speaks for other content.
"""

CLOSE = 0.15
"""Two candidates whose likeness differs by less cannot be told apart."""

HELD = "held"

LEAST_READ = 0.99
"""Share of the filled rows that has to parse as the missing column's type."""

WEIGHT = {"number": 0.6, "moment": 0.6, "text": 0.6, "truth": 0.25}
"""Weight of the distribution beside the name: two columns of yes and no are soon alike by chance."""


@dataclass(frozen=True)
class LastGood:
    """What a table held when it was last delivered: one SELECT of raw rows per file, and the last night in them."""

    selects: tuple[RawSelect, ...]
    last_night: date


FindLastGood = Callable[[str], LastGood | None]
"""Of a raw table's name; None where it has not been delivered before."""


@dataclass(frozen=True)
class RefusedFile:
    """The file whose columns are not those declared; `night` is the only one it is of, None where it has many."""

    table: str
    readable: ReadableFile
    shape: Shape
    night: date | None


@dataclass(frozen=True)
class Candidate:
    """One new column beside one missing one.

    `content` is the likeness of what they hold beyond chance, nulls included; it and `compared` are None where there
    is nothing to compare with. `likeness` weighs name and content, 0 where the type does not fit.
    """

    missing: str
    new: str
    name: float
    type_fits: bool
    compared: Distance | None
    content: float | None
    empty: bool
    likeness: float

    @property
    def plausible(self) -> bool:
        """Whether it looks like the missing one on the whole."""
        if self.content is None:
            return self.likeness >= NAMES_ALIKE
        return self.likeness >= PLAUSIBLE and self.content >= CONTENT_ALIKE

    @property
    def alike_by_name_only(self) -> bool:
        """Whether the name alone would have misled."""
        return self.name >= NAMES_ALIKE and not self.plausible

    def sentence(self) -> str:
        """What speaks for it, or against it where only the name does."""
        if self.alike_by_name_only:
            return f"{one_line(self.new)} has the name, but {self._against()}"
        told = ["name"] if self.name >= NAMES_ALIKE else []
        told += ["type"] if self.type_fits else []
        told += [f"distribution: {self.compared}"] if self.compared is not None else ["nothing to compare it with"]
        return f"{one_line(self.new)} looks like it ({', '.join(told)})"

    def _against(self) -> str:
        if self.empty:
            return "holds nothing"
        return f"not the distribution ({self.compared})" if self.type_fits else "not the type"


def candidates(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    file: RefusedFile,
    missing: Sequence[str],
    new: Sequence[str],
    last_good: LastGood | None,
) -> tuple[Candidate, ...]:
    """Every missing column's candidates, likeliest first; a new column stands for one missing one alone.

    Only those that are plausible, or alike by name, are returned. Each file is read once.
    """
    mapping = source.mapping.tables[file.table]
    declared = {old: _canonical(mapping, file.table, old) for old in missing}
    _draw(connection, "refused", _refused_rows(file, new), {"path": str(file.readable.path)})
    if last_good is not None:
        for number, select in enumerate(last_good.selects):
            rows = _last_rows(
                select, last_good, [column for column, _ in declared.values()], many_nights=file.night is None
            )
            _draw(connection, "last_good", *rows, more=number > 0)
    compared = []
    for old, (column, spec) in declared.items():
        before = None
        if last_good is not None:
            before = _sample(connection, "last_good", column.name, HELD, column)
        for number, name in enumerate(new):
            found = _sample_of_new(connection, source, file, column, spec, new, number)
            compared.append(_judge(old, name, before, found))
    ranked = sorted(compared, key=lambda each: (-each.likeness, -each.name, each.missing, each.new))
    best: dict[str, str] = {}
    taken: dict[str, str] = {}
    for each in ranked:
        if each.plausible and each.missing not in best and each.new not in taken:
            best[each.missing], taken[each.new] = each.new, each.missing
    return tuple(
        each
        for each in sorted(ranked, key=lambda each: missing.index(each.missing))
        if each.alike_by_name_only or (each.plausible and taken.get(each.new, each.missing) == each.missing)
    )


def _judge(missing: str, new: str, before: Sample | None, found: Sample) -> Candidate:
    name = name_likeness(missing, new)
    fits = found.read_share >= LEAST_READ
    apart = distance(before, found) if before is not None else None
    content = None
    if apart is not None and before is not None:
        content = (1 - apart.beyond_chance) * (1 - abs(before.filled_share - found.filled_share))
    if not found.filled:
        likeness = 0.0 if before is None or before.filled else name
    elif not fits:
        likeness = 0.0
    elif content is None:
        likeness = name
    else:
        likeness = (1 - WEIGHT[found.kind]) * name + WEIGHT[found.kind] * content
    return Candidate(missing, new, name, fits, apart, content, not found.filled, likeness)


def _canonical(mapping: TableMapping, table: str, delivered: str) -> tuple[RawColumn, ColumnMapping]:
    """The canonical column that a delivered one is read as; of several, one that holds the value itself."""
    fed = [(name, spec) for name, spec in mapping.columns.items() if spec.delivered == delivered]
    name, spec = min(fed, key=lambda each: each[1].starts_with is not None)
    technical = {"known_at": RawColumn("known_at", TIMESTAMP, required=True)}
    return technical.get(name) or RAW_TABLES[table].column(name), spec


def _refused_rows(file: RefusedFile, new: Sequence[str]) -> str:
    """The new columns under names of ours, whatever theirs are."""
    delivered = {name.strip(): name for name in file.shape.names}
    columns = ", ".join(f"{quote_name(delivered[name])} AS new_{number}" for number, name in enumerate(new))
    night = f"DATE '{file.night}'" if file.night is not None else "CAST(NULL AS DATE)"
    rows = scan(file.readable, file.shape, [delivered[name] for name in new])
    return f"SELECT source_row, {night} AS night, {columns} FROM {rows}"


def _last_rows(
    select: RawSelect, last_good: LastGood, columns: Sequence[RawColumn], *, many_nights: bool
) -> tuple[str, dict[str, object]]:
    """Rows of the last nights; of every night where the refused file is of many nights itself."""
    names = ", ".join(dict.fromkeys(["known_at", *(column.name for column in columns)]))
    rows = f"SELECT source_row, night, {names} FROM ({select.sql})"
    if many_nights:
        return rows, dict(select.parameters)
    return (
        f"{rows} WHERE night > CAST($to_night AS DATE) - {NIGHTS_COMPARED}",
        {**select.parameters, "to_night": last_good.last_night},
    )


def _draw(
    connection: duckdb.DuckDBPyConnection, name: str, sql: str, parameters: dict[str, object], *, more: bool = False
) -> None:
    """Keep a sample of rows for this connection, or add one."""
    into = f"INSERT INTO {name}" if more else f"CREATE OR REPLACE TEMP TABLE {name} AS"
    connection.execute(
        f"{into} SELECT * FROM ({sql}) ORDER BY hash(source_row), source_row LIMIT {SAMPLED_ROWS}", parameters
    )


def _sample_of_new(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    file: RefusedFile,
    column: RawColumn,
    spec: ColumnMapping,
    new: Sequence[str],
    number: int,
) -> Sample:
    """A new column, read as the missing one is declared."""
    delivered_type = file.shape.type_of(next(name for name in file.shape.names if name.strip() == new[number]))
    text = as_read(f"new_{number}", delivered_type, column, source.timezone)
    fits = _same_family(column, delivered_type)
    return _sample(connection, "refused", text, parsed(HELD, column, spec, delivered_type) if fits else "NULL", column)


def _sample(connection: duckdb.DuckDBPyConnection, drawn: str, text: str, value: str, column: RawColumn) -> Sample:
    """One column of drawn rows: `text` is what it holds, `value` (over the alias `HELD`) that as the column's type."""
    kind = _kind(column)
    plain = {"number": "CAST(value AS DOUBLE)", "moment": "CAST(epoch(value) AS DOUBLE)"}.get(kind)
    rows = connection.execute(
        f"SELECT {HELD} IS NOT NULL, {plain or 'CAST(value AS VARCHAR)'}, CAST(night - DATE '1970-01-01' AS DOUBLE)"
        f" FROM (SELECT night, {HELD}, {value} AS value FROM (SELECT night, {text} AS {HELD} FROM {drawn}))"
    ).fetchall()
    filled = sum(bool(is_filled) for is_filled, _, _ in rows)
    read = [(value, night) for is_filled, value, night in rows if is_filled and value is not None]
    nights = [night for _, night in read if night is not None]
    numeric = kind in ("number", "moment")
    return Sample(
        kind,
        len(rows),
        filled,
        unread=filled - len(read),
        numbers=np.array([value for value, _ in read] if numeric else [], dtype=np.float64),
        nights=np.array(nights if len(nights) == len(read) else [], dtype=np.float64),
        texts=() if numeric else tuple(str(value) for value, _ in read),
    )


def _kind(column: RawColumn) -> Kind:
    if column.type in (TIMESTAMP, DATE):
        return "moment"
    if column.type == BOOLEAN:
        return "truth"
    return "text" if column.type == TEXT else "number"


def _same_family(column: RawColumn, delivered_type: str) -> bool:
    """Whether a typed file's column could hold what a text column holds; untyped files hold texts throughout."""
    return column.type != TEXT or delivered_type == "VARCHAR" or column.name.endswith("_id")
