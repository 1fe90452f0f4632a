"""Files of Online Retail II as people have them: workbooks, CSV in several encodings, Parquet, and broken ones."""

from datetime import datetime
from pathlib import Path

import duckdb
import openpyxl
import pytest

from athena_assets.sources.errors import (
    ColumnsDiffer,
    EncodingUnclear,
    SourceError,
    TooManyUnparseable,
    UnreadableFile,
)
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import source_named

HEADER = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
NOW = datetime(2012, 1, 1, 9)


def line(invoice: int, description: str = "HEART", **changes: object) -> list[object]:
    values: dict[str, object] = {
        "Invoice": invoice,
        "StockCode": "85123A",
        "Description": description,
        "Quantity": 6,
        "InvoiceDate": datetime(2010, 12, 1, 8, 26),
        "Price": 2.55,
        "Customer ID": 17850.0,
        "Country": "United Kingdom",
    }
    return list((values | changes).values())


def text_file(path: Path, lines: list[list[object]], encoding: str = "utf-8", newline: str = "\n") -> Path:
    rows = [",".join(map(str, row)) for row in [HEADER, *lines]]
    path.write_bytes((newline.join(rows) + newline).encode(encoding))
    return path


def workbook(path: Path, sheets: dict[str, list[list[object]]]) -> Path:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    book.save(path)
    return path


def landed(home: Path, *paths: Path) -> list[tuple]:
    """Register the files and read back (source_row, order_id, customer_id, description, order_ts, quantity, price)."""
    landing, source = Landing.of(home), source_named("online_retail_ii")
    delivery = landing.register(source, paths, kind="bulk", registered_at=NOW)
    rows = []
    with duckdb.connect() as connection:
        for select in landing.raw_selects(connection, source, delivery, "order_lines"):
            rows += connection.execute(
                f"SELECT source_row, order_id, customer_id, description, order_ts, quantity, unit_price "
                f"FROM ({select.sql}) ORDER BY source_row",
                select.parameters,
            ).fetchall()
    return rows


def test_workbook_rows_count_over_all_sheets(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "retail.xlsx",
        {
            "Year 2009-2010": [HEADER, line(1), line(2, "12/1/10 8:26 CARD")],
            "Notes": [],
            # The second sheet has its columns in another order, as hand-made copies do.
            "Year 2010-2011": [HEADER[::-1], line(3, **{"Customer ID": None})[::-1]],
        },
    )
    rows = landed(tmp_path / "home", path)
    assert [row[:3] for row in rows] == [(1, "1", "C-17850"), (2, "2", "C-17850"), (3, "3", None)]
    assert {row[4:6] for row in rows} == {(datetime(2010, 12, 1, 8, 26), 6)}
    assert {str(row[6]) for row in rows} == {"2.5500"}


def test_workbook_and_csv_and_parquet_give_the_same_rows(tmp_path: Path) -> None:
    lines = [line(number) for number in range(1, 6)]
    book = workbook(tmp_path / "a.xlsx", {"one": [HEADER, *lines]})
    csv = text_file(tmp_path / "a.csv", lines)
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_csv('{csv}')) TO '{tmp_path}/a.parquet'")
    results = [
        landed(tmp_path / f"home{number}", path) for number, path in enumerate((book, csv, tmp_path / "a.parquet"))
    ]
    assert results[0] == results[1] == results[2]
    assert len(results[0]) == 5


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"])
def test_text_encodings_that_hold_throughout_are_read(tmp_path: Path, encoding: str) -> None:
    path = text_file(tmp_path / "a.csv", [line(1, "CAFÉ SIGN £5"), line(2)], encoding)
    assert [row[3] for row in landed(tmp_path / "home", path)] == ["CAFÉ SIGN £5", "HEART"]


def test_windows_line_ends_are_read(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", [line(1), line(2)], newline="\r\n")
    assert [row[1] for row in landed(tmp_path / "home", path)] == ["1", "2"]


def test_quoted_separators_and_line_breaks_stay_in_their_field(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", [line(1, '"SET OF 3,\nRED"'), line(2, '"5"" FRAME"')])
    assert [row[3] for row in landed(tmp_path / "home", path)] == ["SET OF 3,\nRED", '5" FRAME']


def refused(tmp_path: Path, path: Path, error: type[SourceError]) -> str:
    """The message of the refusal; nothing may have been registered or left behind."""
    home = tmp_path / "home"
    with pytest.raises(error) as caught:
        landed(home, path)
    assert Landing.of(home).deliveries() == ()
    assert [item for item in home.rglob("*") if item.is_file()] == []
    return str(caught.value)


def test_mixed_encoding_names_both_lines(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", [line(1), line(2, "CAFÉ")])
    path.write_bytes(path.read_bytes() + ",".join(map(str, line(3, "CAFÉ"))).encode("latin-1") + b"\n")
    assert "line 3 is UTF-8, line 4 is not" in refused(tmp_path, path, EncodingUnclear)


def test_undecodable_byte_names_its_line(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", [line(1), line(2)])
    path.write_bytes(path.read_bytes().replace(b"HEART", b"HE\x81RT", 1))
    assert "line 2" in refused(tmp_path, path, EncodingUnclear)


def test_zero_bytes_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"Invoice,StockCode\n\x00\x01\n")
    assert "line 2 holds a zero byte" in refused(tmp_path, path, EncodingUnclear)


@pytest.mark.parametrize("name", ["a.csv", "a.xlsx", "a.parquet"])
def test_empty_file_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.touch()
    assert f"{name} is empty" in refused(tmp_path, path, UnreadableFile)


def test_header_without_rows_is_refused_in_bulk(tmp_path: Path) -> None:
    assert "holds no rows" in refused(tmp_path, text_file(tmp_path / "a.csv", []), UnreadableFile)


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_truncated_parquet_is_refused(tmp_path: Path, kept: float) -> None:
    csv = text_file(tmp_path / "a.csv", [line(number) for number in range(50)])
    path = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_csv('{csv}')) TO '{path}'")
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    assert "a.parquet cannot be read to its end" in refused(tmp_path, path, UnreadableFile)


def test_damaged_parquet_page_is_refused(tmp_path: Path) -> None:
    csv = text_file(tmp_path / "a.csv", [line(number) for number in range(500)])
    path = tmp_path / "a.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (FROM read_csv('{csv}')) TO '{path}' (COMPRESSION zstd)")
    content = bytearray(path.read_bytes())
    content[30:90] = bytes(60)
    path.write_bytes(bytes(content))
    assert "cannot be read to its end" in refused(tmp_path, path, UnreadableFile)


def test_truncated_workbook_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"one": [HEADER, line(1)]})
    path.write_bytes(path.read_bytes()[:-200])
    assert "not a complete xlsx workbook" in refused(tmp_path, path, UnreadableFile)


def test_truncated_csv_is_refused(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", [line(number) for number in range(50)])
    path.write_bytes(path.read_bytes()[:-30])
    message = refused(tmp_path, path, UnreadableFile)
    assert "a.csv cannot be read to its end" in message
    assert "51" in message


def test_csv_ending_within_a_quoted_field_is_refused(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", [line(1), line(2)])
    path.write_bytes(path.read_bytes() + b'3,85123A,"SET OF')
    assert "cannot be read to its end" in refused(tmp_path, path, UnreadableFile)


def test_text_in_a_parquet_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_text("Invoice,StockCode\n1,2\n", encoding="utf-8")
    refused(tmp_path, path, UnreadableFile)


def test_workbook_with_sheets_of_different_form_is_refused(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", {"one": [HEADER, line(1)], "two": [["Country", "Code"], ["France", 1]]})
    assert "sheet 'two' has other columns than sheet 'one'" in refused(tmp_path, path, ColumnsDiffer)


def test_copy_without_the_invoice_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(HEADER[1:]) + "\n" + ",".join(map(str, line(1)[1:])) + "\n", encoding="utf-8")
    assert "missing 'Invoice'" in refused(tmp_path, path, ColumnsDiffer)


def test_missing_file_and_unknown_format_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path, tmp_path / "none.csv", UnreadableFile)
    (tmp_path / "a.json").write_text("[]", encoding="utf-8")
    assert "no format that Athena reads" in refused(tmp_path, tmp_path / "a.json", UnreadableFile)


def test_folder_without_a_declared_file_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "delivery"
    folder.mkdir()
    assert "an empty folder" in refused(tmp_path, folder, UnreadableFile)
    (folder / "readme.md").write_text("hello", encoding="utf-8")
    assert "readme.md" in refused(tmp_path, folder, UnreadableFile)


def test_folder_of_files_is_one_delivery(tmp_path: Path) -> None:
    folder = tmp_path / "delivery"
    folder.mkdir()
    text_file(folder / "b.csv", [line(2), line(3)])
    text_file(folder / "a.csv", [line(1)])
    assert [row[:2] for row in landed(tmp_path / "home", folder)] == [(1, "1"), (2, "2"), (3, "3")]


def test_more_unparseable_rows_than_declared_refuse_the_file_with_examples(tmp_path: Path) -> None:
    bad = [line(7, InvoiceDate="soon"), line(8, Quantity="many")]
    path = text_file(tmp_path / "a.csv", [*(line(number) for number in range(150)), *bad])
    message = refused(tmp_path, path, TooManyUnparseable)
    assert "2 of 152 rows do not parse" in message
    assert "row 151: InvoiceDate: soon is not a date and time" in message
    assert "row 152: Quantity: many is not a whole number" in message


def test_few_unparseable_rows_are_landed_and_counted(tmp_path: Path) -> None:
    path = text_file(tmp_path / "a.csv", [*(line(number) for number in range(150)), line(7, Price="free")])
    landing = Landing.of(tmp_path / "home")
    delivery = landing.register(source_named("online_retail_ii"), [path], kind="bulk", registered_at=NOW)
    assert (delivery.files[0].rows, delivery.files[0].unparsed_rows) == (151, 1)
    assert str(delivery.files[0].amount) == "2295.0000"
