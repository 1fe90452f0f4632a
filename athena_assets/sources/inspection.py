"""What a delivered file holds, found out before anything is registered."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path

import duckdb

from athena_assets.sources.errors import ColumnsDiffer, TooManyUnparseable, UnreadableFile
from athena_assets.sources.files import (
    ReadableFile,
    Shape,
    damaged,
    format_of,
    make_readable,
    sha256_of,
    shape_of,
)
from athena_assets.sources.refusal import diagnosed
from athena_assets.sources.rename import FindLastGood, RefusedFile
from athena_assets.sources.source import DeliveredAs, DeliveryKind, RawSelect, Source
from athena_assets.sources.tables import RAW_TABLES
from athena_assets.wording import one_line

EXAMPLES_SHOWN = 3


@dataclass(frozen=True)
class InspectedFile:
    """The facts of one delivered file.

    `amount` is the exact sum of the rows' money in the source's currency, 0 for a row whose quantity or price
    does not parse; `first_night` and `last_night` are those its rows belong to, None where it has none.
    `rows_of_night` and `amount_of_night`: what of a nightly full extract is the night's own; None for other files.
    `undeclared_columns` are those that nobody declared and nothing reads.
    """

    table: str
    path: Path
    sha256: str
    readable: ReadableFile
    shape: Shape
    rows: int
    unparsed_rows: int
    amount: Decimal
    first_night: date | None
    last_night: date | None
    rows_of_night: int | None
    amount_of_night: Decimal | None
    undeclared_columns: tuple[str, ...]

    @property
    def rows_to_land(self) -> int:
        """Rows that the delivery's nights will have."""
        return self.rows if self.rows_of_night is None else self.rows_of_night

    @property
    def amount_to_land(self) -> Decimal:
        """The money of those rows."""
        return self.amount if self.amount_of_night is None else self.amount_of_night


def tables_of(source: Source, paths: Sequence[Path]) -> list[tuple[str, Path]]:
    """The table of each delivered file; folders are opened one level deep, files in name order.

    Raises `UnreadableFile` for a file that no table of the source declares, for a folder without any
    declared file, and when a delivered table has no file.
    """
    found: list[tuple[str, Path]] = []
    for path in paths:
        _refuse_unprintable(path)
        if path.is_dir():
            inside = [file for file in sorted(path.iterdir()) if not file.name.startswith((".", "~"))]
            matched = [(source.table_of_file(file.name), file) for file in inside if file.is_file()]
            if not any(table for table, _ in matched):
                raise UnreadableFile(
                    f"folder {path.name} holds no file of {source.name}",
                    expected=_patterns(source),
                    found=", ".join(one_line(file.name) for file in inside[:10]) or "an empty folder",
                    next_command=f"athena load --check --source {source.name} <file or folder>",
                )
            found.extend((table, file) for table, file in matched if table is not None)
            for _, file in matched:
                _refuse_unprintable(file)
            continue
        format_of(path)
        table = source.table_of_file(path.name)
        if table is None and len(source.tables) == 1:
            table = source.tables[0]
        if table is None:
            raise UnreadableFile(
                f"{path.name} is no file of {source.name}", expected=_patterns(source), found=path.name
            )
        found.append((table, path))
    missing = [table for table in source.tables if table not in {name for name, _ in found}]
    if missing:
        raise UnreadableFile(
            f"the delivery of {source.name} lacks {', '.join(missing)}",
            expected=f"a file for each of {', '.join(source.tables)}",
            found=", ".join(path.name for _, path in found) or "no file",
            next_command=f"deliver all tables together: athena load --source {source.name} <folder>",
        )
    return sorted(found, key=lambda item: (source.tables.index(item[0]), str(item[1])))


def _refuse_unprintable(path: Path) -> None:
    """Refuse a path that would act on the screens and commands in which it is said; raises `UnreadableFile`."""
    if one_line(str(path)) != str(path):
        raise UnreadableFile(
            "a delivered file has control characters in its name or folder",
            expected="a path that can be written on one line",
            found=ascii(str(path)),
            next_command="rename it, then load it again",
        )


def inspect_file(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    table: str,
    path: Path,
    *,
    staging: Path,
    kind: DeliveryKind,
    until: date,
    sha256: str | None = None,
    find_last_good: FindLastGood | None = None,
) -> InspectedFile:
    """Read a file once, from its first row to its last, and state what is in it.

    Raises `UnreadableFile`, `EncodingUnclear`, `ColumnsDiffer`, `ColumnUnreadable`, or `TooManyUnparseable` with
    examples when more rows than the source's `max_unparsed_share` do not parse. A bulk file of order lines must have
    rows.
    Rows of nights after `until` are from the future and tell nothing about the nights of the file. A new column beside
    a missing one is compared with what `find_last_good` gives.
    """
    digest = sha256 or sha256_of(path)
    readable = make_readable(path, staging, stem=digest, delimiter=source.mapping.tables[table].delimiter)
    shape = shape_of(connection, readable, path.name)
    provisional = DeliveredAs("inspection", kind, until, until)
    try:
        select = source.raw_select(table, readable, shape, provisional, file_name=path.name)
    except ColumnsDiffer as error:
        of_one_night = kind == "nightly" and not source.repeats_earlier_nights(table, kind)
        refused = RefusedFile(table, readable, shape, until if of_one_night else None)
        raise diagnosed(connection, source, refused, error, find_last_good) from None
    raw = RAW_TABLES[table]
    day = f"CAST({raw.event_column} AS DATE)" if raw.event_column and not source.reports_known_at else "night"
    past = f"parse_error IS NULL AND {day} <= $until"
    money = f"sum({raw.amount or 0})"
    with reading(path.name, readable.path):
        row = connection.execute(
            f"SELECT count(*), count(parse_error), coalesce({money}, 0), "
            f"min({day}) FILTER (WHERE {past}), max({day}) FILTER (WHERE {past}), "
            f"count(*) FILTER (WHERE night = $until), coalesce({money} FILTER (WHERE night = $until), 0) "
            f"FROM ({select.sql})",
            {**select.parameters, "until": until},
        ).fetchall()[0]
    rows, unparsed = int(row[0]), int(row[1])
    if rows == 0 and kind == "bulk" and table == "order_lines":
        raise UnreadableFile(
            f"{path.name} holds no rows",
            expected="order lines below the header",
            found=f"a header of {len(shape.columns)} columns and nothing else",
            next_command="deliver the file again, complete",
        )
    if unparsed > rows * source.mapping.max_unparsed_share:
        raise _too_many(connection, source, path, readable, select, rows, unparsed)
    own = (int(row[5]), Decimal(str(row[6]))) if source.repeats_earlier_nights(table, kind) else (None, None)
    return InspectedFile(
        table,
        path,
        sha256=digest,
        readable=readable,
        shape=shape,
        rows=rows,
        unparsed_rows=unparsed,
        amount=Decimal(str(row[2])),
        first_night=row[3],
        last_night=row[4],
        rows_of_night=own[0],
        amount_of_night=own[1],
        undeclared_columns=select.undeclared_columns,
    )


@contextmanager
def reading(delivered_name: str, path: Path) -> Iterator[None]:
    """Turn DuckDB's complaint about a file's bytes into `UnreadableFile`; lack of memory stays itself."""
    try:
        yield
    except duckdb.OutOfMemoryException:
        raise
    except (duckdb.Error, UnicodeDecodeError) as error:
        raise damaged(delivered_name, path, error) from None


def _too_many(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    path: Path,
    readable: ReadableFile,
    select: RawSelect,
    rows: int,
    unparsed: int,
) -> TooManyUnparseable:
    with reading(path.name, readable.path):
        examples = connection.execute(
            f"SELECT source_row, parse_error FROM ({select.sql}) WHERE parse_error IS NOT NULL "
            f"ORDER BY source_row LIMIT {EXAMPLES_SHOWN}",
            select.parameters,
        ).fetchall()
    shown = "; ".join(f"row {number}: {fault}" for number, fault in examples)
    return TooManyUnparseable(
        f"{path.name}: {unparsed} of {rows} rows do not parse",
        expected=f"at most {source.mapping.max_unparsed_share:.2%} (max_unparsed_share in {source.declared_in})",
        found=shown,
        next_command="correct the file, or declare the form that its values have (formats, nulls)",
    )


def _patterns(source: Source) -> str:
    return "; ".join(f"{name}: {' '.join(source.mapping.tables[name].files)}" for name in source.tables)
