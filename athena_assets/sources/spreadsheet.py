"""xlsx to Parquet: every cell as text, all sheets one after the other, a chunk of rows at a time."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from athena_assets.sources.errors import ColumnsDiffer, UnreadableFile

CHUNK_ROWS = 65_536


def convert_spreadsheet(path: Path, target: Path) -> None:
    """Write all sheets of an xlsx as one Parquet file of text columns, in the order of the workbook.

    The rows keep their order, so a row's number counts over all sheets. Sheets without any cell are
    passed over. Raises `UnreadableFile` for a file that is no complete workbook or holds no rows of
    columns, `ColumnsDiffer` when a sheet's header is not the first sheet's.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    header: list[str] | None = None
    first_sheet = ""
    writer: Any = None
    try:
        for sheet, rows in _sheets(path):
            names = [(_text(cell) or "").strip() for cell in next(rows, [])]
            while names and not names[-1]:
                names.pop()
            if not names:
                continue
            if header is None:
                header, first_sheet = names, sheet
                _refuse_unusable_header(path, sheet, names)
                schema = pa.schema([(name, pa.string()) for name in names])
                writer = pq.ParquetWriter(target, schema, compression="zstd")
            order = _order(path, header, first_sheet, names, sheet)
            while chunk := list(islice(rows, CHUNK_ROWS)):
                columns = [
                    pa.array([_text(row[at]) if at < len(row) else None for row in chunk], pa.string()) for at in order
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
    finally:
        if writer is not None:
            writer.close()
    if header is None:
        raise UnreadableFile(
            f"{path.name} is empty", expected="a sheet with a header and rows", found="no cell in any sheet"
        )


def _sheets(path: Path) -> Iterator[tuple[str, Iterator[list[Any]]]]:
    from python_calamine import CalamineError, CalamineWorkbook, ZipError

    try:
        workbook = CalamineWorkbook.from_path(str(path))
        for name in workbook.sheet_names:
            yield name, iter(workbook.get_sheet_by_name(name).iter_rows())
    except (CalamineError, ZipError, OSError) as error:
        raise UnreadableFile(
            f"{path.name} is not a complete xlsx workbook",
            expected="an Office Open XML workbook",
            found=f"{error} ({path.stat().st_size} bytes)",
            next_command="deliver the file again, complete",
        ) from None


def _order(path: Path, header: list[str], first: str, names: list[str], sheet: str) -> list[int]:
    """Position in this sheet of each column of the first sheet."""
    if sorted(names) != sorted(header):
        raise ColumnsDiffer(
            f"{path.name}: sheet {sheet!r} has other columns than sheet {first!r}",
            expected=", ".join(header),
            found=", ".join(names),
            next_command="deliver sheets of different form as files of their own",
        )
    return [names.index(name) for name in header]


def _refuse_unusable_header(path: Path, sheet: str, names: Sequence[str]) -> None:
    if "" in names or len(set(names)) != len(names):
        raise ColumnsDiffer(
            f"{path.name}: the first row of sheet {sheet!r} is no header",
            expected="a name of its own in every column",
            found=", ".join(f"'{name}'" for name in names),
        )


def _text(cell: object) -> str | None:
    """A cell as the text that a person would read in it; an empty cell is None."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, float):
        return str(int(cell)) if cell.is_integer() and abs(cell) < 1e15 else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return str(cell)
