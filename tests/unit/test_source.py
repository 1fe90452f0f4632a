"""Sources: declared columns, declared aliases, and a helpful error for every column that may be another one."""

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from athena_assets.sources.columns import resolve_columns
from athena_assets.sources.errors import ColumnsDiffer, ColumnUnreadable, MappingInvalid, UnknownSource
from athena_assets.sources.files import make_readable, shape_of
from athena_assets.sources.source import DeliveredAs, source_named

FIRST_EDITION = ["Invoice", "StockCode", "Description", "Quantity", "InvoiceDate", "Price", "Customer ID", "Country"]
SECOND_EDITION = [
    "InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country",
]  # fmt: skip
BULK = DeliveredAs("d-1", "bulk", date(2010, 1, 1), date(2011, 12, 31))


def raw_rows(path: Path, delivered: DeliveredAs = BULK, source_name: str = "online_retail_ii") -> list[dict]:
    """The raw rows of one file of order lines."""
    source = source_named(source_name)
    with duckdb.connect() as connection:
        readable = make_readable(path, path.parent / "staged", stem="x")
        shape = shape_of(connection, readable, path.name)
        select = source.raw_select("order_lines", readable, shape, delivered, file_name=path.name)
        result = connection.execute(f"SELECT * FROM ({select.sql}) ORDER BY source_row", select.parameters)
        names = [column[0] for column in result.description]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def csv_of(path: Path, header: list[str], *rows: list[str]) -> Path:
    path.write_text("\n".join(",".join(row) for row in (header, *rows)) + "\n", encoding="utf-8")
    return path


LINE = ["536365", "85123a", "WHITE HANGING HEART", "6", "2010-12-01 08:26:00", "2.55", "17850", "United Kingdom"]


def test_unknown_source_names_those_there_are() -> None:
    with pytest.raises(UnknownSource, match=r"(?s)'online_retail'.*online_retail_ii, simulator"):
        source_named("online_retail")


def test_source_says_what_it_delivers() -> None:
    retail, simulator = source_named("online_retail_ii"), source_named("simulator")
    assert retail.tables == ("order_lines",)
    assert (retail.currency, retail.timezone, retail.reports_known_at) == ("GBP", "Europe/London", False)
    assert retail.declared_aliases == {
        "InvoiceNo": "Invoice", "UnitPrice": "Price", "CustomerID": "Customer ID",
    }  # fmt: skip
    assert simulator.reports_known_at
    assert simulator.delivers("orders")
    assert not retail.delivers("orders")


@pytest.mark.parametrize("header", [FIRST_EDITION, SECOND_EDITION])
def test_both_editions_give_the_same_raw_row(tmp_path: Path, header: list[str]) -> None:
    (row,) = raw_rows(csv_of(tmp_path / "lines.csv", header, LINE))
    assert row == {
        "delivery_id": "d-1",
        "source_row": 1,
        "night": date(2010, 12, 1),
        "known_at": datetime(2010, 12, 2),
        "parse_error": None,
        "order_id": "536365",
        "customer_id": "C-17850",
        "order_ts": datetime(2010, 12, 1, 8, 26),
        "product_id": "85123A",
        "description": "WHITE HANGING HEART",
        "quantity": 6,
        "unit_price": Decimal("2.5500"),
        "is_return": False,
        "channel": "online",
        "country": "United Kingdom",
    }


def test_undeclared_rename_is_refused(tmp_path: Path) -> None:
    header = [name.replace("Customer ID", "Custumer ID") for name in FIRST_EDITION]
    with pytest.raises(ColumnsDiffer) as caught:
        raw_rows(csv_of(tmp_path / "lines.csv", header, LINE))
    message = str(caught.value)
    assert "lines.csv" in message
    assert "missing 'Customer ID'; not declared 'Custumer ID'" in message
    assert "mapping.yaml" in message


def test_declared_alias_is_accepted(tmp_path: Path) -> None:
    source = source_named("online_retail_ii").with_aliases({"Custumer ID": "Customer ID"})
    header = [name.replace("Customer ID", "Custumer ID") for name in FIRST_EDITION]
    resolved = resolve_columns(
        source.mapping.tables["order_lines"], header, file="f", table="order_lines", declared_in="m"
    )
    assert resolved.names["customer_id"] == "Custumer ID"
    with pytest.raises(MappingInvalid, match="points to nothing"):
        source.with_aliases({"x": "No such column"})


@pytest.mark.parametrize(
    ("header", "fault"),
    [
        ([name for name in FIRST_EDITION if name != "Invoice"], "missing 'Invoice'"),
        ([*FIRST_EDITION[:-1], "Loyalty"], "missing 'Country'; not declared 'Loyalty'"),
        ([*FIRST_EDITION, "InvoiceNo"], "both names of one column 'Invoice and InvoiceNo'"),
        ([*FIRST_EDITION, "Price"], "name standing twice 'Price'"),
        ([*FIRST_EDITION, " Price"], "name standing twice 'Price'"),
        (["invoice", *FIRST_EDITION[1:]], "missing 'Invoice'; not declared 'invoice'"),
    ],
)
def test_columns_that_are_not_the_declared_ones_are_refused(tmp_path: Path, header: list[str], fault: str) -> None:
    with pytest.raises(ColumnsDiffer) as caught:
        raw_rows(csv_of(tmp_path / "lines.csv", header, LINE[: len(header)]))
    assert fault in str(caught.value)


def test_further_columns_and_blanks_around_names_are_harmless() -> None:
    mapping = source_named("online_retail_ii").mapping.tables["order_lines"]
    header = ["Loyalty", *(f" {name}\t" for name in reversed(FIRST_EDITION)), " Discount "]
    resolved = resolve_columns(mapping, header, file="f", table="order_lines", declared_in="m")
    assert resolved.undeclared == ("Loyalty", "Discount")
    assert resolved.names["customer_id"] == " Customer ID\t"


def parsed(tmp_path: Path, **changes: str) -> dict:
    line = dict(zip(FIRST_EDITION, LINE, strict=True)) | changes
    (row,) = raw_rows(csv_of(tmp_path / "lines.csv", FIRST_EDITION, list(line.values())))
    return row


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12/1/10 8:26", datetime(2010, 12, 1, 8, 26)),
        ("12/1/2010 8:26", datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01T08:26:00", datetime(2010, 12, 1, 8, 26)),
        ("2010-12-01", datetime(2010, 12, 1)),
        ("2010-12-01 08:26:00+02", None),
        ("13/13/10 8:26", None),
        ("0010-13-01", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_dates_are_read_in_declared_forms_only(tmp_path: Path, text: str, value: datetime | None) -> None:
    row = parsed(tmp_path, InvoiceDate=text)
    assert row["order_ts"] == value
    expected = None if value else f"InvoiceDate: {text} is not a date and time" if text else "InvoiceDate is empty"
    assert row["parse_error"] == expected
    assert row["night"] == (date(2010, 12, 1) if value else BULK.last_night)


@pytest.mark.parametrize(
    ("column", "text", "name", "value", "faulty"),
    [
        ("Customer ID", "17850.0", "customer_id", "C-17850", False),
        ("Customer ID", "", "customer_id", None, False),
        ("Customer ID", "\t17850 ", "customer_id", "C-17850", False),
        ("Customer ID", "\u00a0\t", "customer_id", None, False),
        ("Customer ID", " nan\t", "customer_id", None, False),
        ("Quantity", "\u00a0\t6\u00a0", "quantity", 6, False),
        ("Price", "2.55\t", "unit_price", Decimal("2.5500"), False),
        ("Customer ID", "nan", "customer_id", None, False),
        ("StockCode", "85048.0", "product_id", "85048", False),
        ("Description", "Unknown", "description", None, False),
        ("Invoice", "C536365", "is_return", True, False),
        ("Quantity", "-6", "quantity", -6, False),
        ("Quantity", "6.0", "quantity", 6, False),
        ("Quantity", "6.7", "quantity", None, True),
        ("Quantity", "six", "quantity", None, True),
        ("Quantity", "99999999999999999999", "quantity", None, True),
        ("Price", "1e-05", "unit_price", None, True),
        ("Price", "0.30000000000000004", "unit_price", Decimal("0.3000"), False),
        ("Price", "2.55555", "unit_price", None, True),
        ("Price", "£2.55", "unit_price", None, True),
        ("Price", "inf", "unit_price", None, True),
        ("Price", "", "unit_price", None, True),
        ("Invoice", "", "order_id", None, True),
    ],
)
def test_value_parses_exactly_or_names_its_fault(
    tmp_path: Path, column: str, text: str, name: str, value: object, faulty: bool
) -> None:
    row = parsed(tmp_path, **{column: text})
    assert row[name] == value
    assert (row["parse_error"] is not None) == faulty
    if faulty:
        assert row["parse_error"].startswith(column)
        assert text in row["parse_error"] or "is empty" in row["parse_error"]


def test_typed_parquet_gives_the_same_rows_as_text(tmp_path: Path) -> None:
    csv_of(tmp_path / "lines.csv", FIRST_EDITION, LINE, ["C1", *LINE[1:3], "-1", *LINE[4:6], "", LINE[7]])
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT Invoice, StockCode, Description, CAST(Quantity AS BIGINT) AS Quantity,
                CAST(InvoiceDate AS TIMESTAMP) AS InvoiceDate, CAST(Price AS DOUBLE) AS Price,
                CAST("Customer ID" AS DOUBLE) AS "Customer ID", Country
                FROM read_csv('{tmp_path}/lines.csv', all_varchar = true))
            TO '{tmp_path}/lines.parquet'"""
        )
    assert raw_rows(tmp_path / "lines.parquet") == raw_rows(tmp_path / "lines.csv")


def parquet_of(path: Path, *further: tuple[str, pa.Array], **replaced: pa.Array) -> Path:
    """One order line as typed Parquet, with some columns replaced and further ones behind them."""
    columns = {
        **dict(zip(FIRST_EDITION, (pa.array([text]) for text in LINE), strict=True)),
        **{name.replace("_", " "): values for name, values in replaced.items()},
    }
    names, values = zip(*columns.items(), *further, strict=True)
    pq.write_table(pa.Table.from_arrays(list(values), names=list(names)), path)
    return path


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (pa.array([{"a": 1}]), "STRUCT(a BIGINT)"),
        (pa.array([["France"]]), "VARCHAR[]"),
        (pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())), "MAP(VARCHAR, BIGINT)"),
        (pa.array([b"France"]), "BLOB"),
    ],
    ids=["structure", "list", "map", "bytes"],
)
def test_parquet_when_a_declared_column_holds_no_single_values_then_it_is_refused_by_name(
    tmp_path: Path, values: pa.Array, found: str
) -> None:
    with pytest.raises(ColumnUnreadable) as caught:
        raw_rows(parquet_of(tmp_path / "lines.parquet", Country=values))
    assert caught.value.what == "lines.parquet: column 'Country' of order_lines holds no single values"
    assert caught.value.expected == "a text a row, for country"
    assert caught.value.found == f"the type {found}"
    assert caught.value.next_command is not None


@pytest.mark.parametrize(
    "replaced",
    [
        {"Country": pa.array(["United Kingdom"]).dictionary_encode()},
        {"Country": pa.array([None], pa.null())},
        {"Quantity": pa.array([6], pa.uint64())},
        {"Customer_ID": pa.array([17850], pa.int64())},
        {"InvoiceDate": pa.array([datetime(2010, 12, 1, 8, 26)], pa.timestamp("ns"))},
    ],
    ids=["dictionary", "null", "unsigned", "number", "nanoseconds"],
)
def test_parquet_when_a_column_has_another_type_of_single_values_then_it_is_read(
    tmp_path: Path, replaced: dict[str, pa.Array]
) -> None:
    (row,) = raw_rows(parquet_of(tmp_path / "lines.parquet", **replaced))
    assert row["parse_error"] is None
    assert (row["customer_id"], row["quantity"]) == ("C-17850", 6)
    assert row["order_ts"] == datetime(2010, 12, 1, 8, 26)


@pytest.mark.parametrize("name", ["Price", "PRICE"])
def test_parquet_when_a_name_stands_twice_then_it_is_refused_and_not_renamed(tmp_path: Path, name: str) -> None:
    nested = ("Further", pa.array([{"a": 1, "b": [2]}]))
    with pytest.raises(ColumnsDiffer, match="name standing twice"):
        raw_rows(parquet_of(tmp_path / "lines.parquet", nested, (name, pa.array(["0"]))))


def test_parquet_when_an_undeclared_column_is_nested_then_it_is_left_out(tmp_path: Path) -> None:
    nested = (("Further", pa.array([{"a": 1, "b": [2]}])), ("Last", pa.array([["x"]])))
    (row,) = raw_rows(parquet_of(tmp_path / "lines.parquet", *nested))
    assert row["country"] == "United Kingdom"


def test_zoned_timestamp_becomes_the_retailers_wall_clock(tmp_path: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute(
            f"""COPY (SELECT '1' AS Invoice, 'P' AS StockCode, 'd' AS Description, 1 AS Quantity,
                TIMESTAMPTZ '2010-07-01 23:30:00+00' AS InvoiceDate, 1.0 AS Price, 'X' AS "Customer ID",
                'France' AS Country) TO '{tmp_path}/zoned.parquet'"""
        )
    (row,) = raw_rows(tmp_path / "zoned.parquet")
    assert row["order_ts"] == datetime(2010, 7, 2, 0, 30)
    assert row["night"] == date(2010, 7, 2)


def test_nightly_row_is_known_when_its_night_ends(tmp_path: Path) -> None:
    night = DeliveredAs("d-2", "nightly", date(2010, 12, 3), date(2010, 12, 3))
    (row,) = raw_rows(csv_of(tmp_path / "late.csv", FIRST_EDITION, LINE), night)
    assert (row["night"], row["known_at"]) == (date(2010, 12, 3), datetime(2010, 12, 4))


def test_future_event_in_bulk_counts_for_the_last_night(tmp_path: Path) -> None:
    row = parsed(tmp_path, InvoiceDate="2031-01-01 10:00:00")
    assert (row["night"], row["known_at"]) == (BULK.last_night, datetime(2012, 1, 1))
