"""A delivered file on disk: its format, its checksum, and a form of it that DuckDB reads directly.

CSV in UTF-8 and Parquet are read where they lie. Anything else (xlsx, text in another encoding) is first
converted into a staging folder. Row numbers are those of the delivered file, 1-based, header not counted.
"""

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from athena_assets.sources.encoding import encoding_of, transcode
from athena_assets.sources.errors import UnreadableFile
from athena_assets.sources.parsing import quote_name, quote_text
from athena_assets.sources.spreadsheet import convert_spreadsheet

FORMATS = {".parquet": "parquet", ".csv": "csv", ".txt": "csv", ".xlsx": "xlsx"}
_NEXT = "athena load --check <file>"


@dataclass(frozen=True)
class ReadableFile:
    """A file that DuckDB reads directly; `path` may be a conversion of the delivered one."""

    path: Path
    format: str
    delimiter: str = ","


@dataclass(frozen=True)
class Shape:
    """What a file holds: column name -> DuckDB type, in the file's order, repetitions kept."""

    columns: tuple[tuple[str, str], ...]

    @property
    def names(self) -> list[str]:
        """Column names in the file's order."""
        return [name for name, _ in self.columns]

    def type_of(self, name: str) -> str:
        """The type of a column that the file has."""
        return dict(self.columns)[name]


def format_of(path: Path) -> str:
    """`parquet`, `csv` or `xlsx`; raises `UnreadableFile` for what is no non-empty file of these."""
    if not path.exists():
        raise UnreadableFile(
            f"{path.name} does not exist", expected=f"a file at {path}", found="nothing", next_command=_NEXT
        )
    if path.is_dir():
        raise UnreadableFile(
            f"{path.name} is a folder",
            expected="a file, or a folder with files that the source declares",
            found="a folder in place of a file",
            next_command=_NEXT,
        )
    known = FORMATS.get(path.suffix.lower())
    if known is None:
        raise UnreadableFile(
            f"{path.name} has no format that Athena reads",
            expected=", ".join(FORMATS),
            found=path.suffix or "no suffix",
            next_command=_NEXT,
        )
    if path.stat().st_size == 0:
        raise UnreadableFile(
            f"{path.name} is empty",
            expected="a header and rows",
            found="0 bytes",
            next_command="deliver the file again, complete",
        )
    return known


def sha256_of(path: Path) -> str:
    """The file's SHA-256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def make_readable(path: Path, staging: Path, *, stem: str, delimiter: str = ",") -> ReadableFile:
    """The file itself where DuckDB reads it, else a conversion called `stem` in the folder `staging`."""
    kind = format_of(path)
    if kind == "parquet":
        return ReadableFile(path, "parquet")
    if kind == "xlsx":
        staging.mkdir(parents=True, exist_ok=True)
        target = staging / f"{stem}.parquet"
        convert_spreadsheet(path, target)
        return ReadableFile(target, "parquet")
    encoding = encoding_of(path)
    if encoding == "utf-8":
        return ReadableFile(path, "csv", delimiter)
    staging.mkdir(parents=True, exist_ok=True)
    target = staging / f"{stem}.csv"
    transcode(path, encoding, target)
    return ReadableFile(target, "csv", delimiter)


def shape_of(connection: duckdb.DuckDBPyConnection, file: ReadableFile, delivered_name: str) -> Shape:
    """The columns of a file; raises `UnreadableFile` where it cannot be opened or has none."""
    if file.format == "csv":
        with file.path.open("r", encoding="utf-8", newline="") as text:
            header = next(csv.reader(text, delimiter=file.delimiter), [])
        if not any(name.strip() for name in header):
            raise UnreadableFile(f"{delivered_name} has no header", expected="column names in the first line")
        return Shape(tuple((name, "VARCHAR") for name in header))
    path = {"path": str(file.path)}
    try:
        described = connection.execute(
            "DESCRIBE SELECT * FROM read_parquet($path, hive_partitioning = false)", path
        ).fetchall()
        fields = connection.execute("SELECT name, coalesce(num_children, 0) FROM parquet_schema($path)", path)
        names = _top_names(fields.fetchall())
    except duckdb.Error as error:
        raise damaged(delivered_name, file.path, error) from None
    return Shape(tuple((name, str(row[1])) for name, row in zip(names, described, strict=True)))


def _top_names(fields: Sequence[tuple[str, int]]) -> list[str]:
    """The columns of a Parquet schema, whose fields come depth first behind its root; DESCRIBE renames doubles."""
    names: list[str] = []
    within = 0
    for name, children in fields[1:]:
        if not within:
            names.append(str(name))
        within = max(within - 1, 0) + children
    return names


def scan(file: ReadableFile, shape: Shape, wanted: Sequence[str]) -> str:
    """A FROM item over `$path` with the wanted ones of the file's columns, and `source_row`.

    CSV is read with a stated dialect and only text columns: nothing is guessed, so the same bytes always
    give the same rows. A line with too few or too many fields fails the read.
    """
    if file.format == "parquet":
        names = "".join(f"{quote_name(name)}, " for name in wanted)
        return (
            f"(SELECT {names}file_row_number + 1 AS source_row "
            "FROM read_parquet($path, file_row_number = true, hive_partitioning = false))"
        )
    # Named by their place: what nobody reads may be called anything, also nothing at all.
    columns = ", ".join(f"'column_{place}': 'VARCHAR'" for place in range(len(shape.names)))
    names = "".join(f"column_{shape.names.index(name)} AS {quote_name(name)}, " for name in wanted)
    return (
        f"(SELECT {names}row_number() OVER () AS source_row FROM read_csv($path, auto_detect = false, "
        f"header = true, delim = {quote_text(file.delimiter)}, quote = '\"', escape = '\"', "
        f"new_line = {quote_text(_new_line(file.path))}, columns = {{{columns}}}))"
    )


def damaged(delivered_name: str, path: Path, error: Exception) -> UnreadableFile:
    """The error of a file whose bytes end early or contradict its format."""
    lines = str(error).splitlines()
    told = [lines[0], *(line.strip() for line in lines[1:] if line.strip().startswith("Expected Number"))]
    return UnreadableFile(
        f"{delivered_name} cannot be read to its end",
        expected="a complete file of the format that its name says",
        found=f"{'. '.join(told).replace(str(path), delivered_name)} ({path.stat().st_size} bytes)",
        next_command="deliver the file again, complete",
    )


def _new_line(path: Path) -> str:
    with path.open("rb") as file:
        first = file.readline()
    return "\\r\\n" if first.endswith(b"\r\n") else "\\n"
