"""Every bad file is refused by name, with what was expected and the next command, and leaves no trace."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from athena_assets.nights import Night
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import source_named

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

SOURCE = ("--source", "online_retail_ii")
LINES = 1_000
NEXT = "2011-10-29"
NIGHT = "2009-12-24"
"""A night after the lines that these tests load; the file of a night may hold anything here, because it is refused."""


@dataclass(frozen=True)
class Bad:
    """One way to spoil a file: the new content from header and lines, and what the refusal must say."""

    spoil: Callable[[str, list[str]], str | bytes]
    says: tuple[str, ...]
    suffix: str = ".csv"


def as_parquet(header: str, lines: list[str], folder: Path) -> bytes:
    text, table = folder / "whole.csv", folder / "whole.parquet"
    text.write_text(header + "".join(lines))
    duckdb.execute(f"COPY (SELECT * FROM read_csv('{text}')) TO '{table}'")
    return table.read_bytes()


def mixed_encodings(header: str, lines: list[str]) -> bytes:
    first = "1,85123A,Café au lait,1,2009-11-01 10:00:00,2.55,13085,United Kingdom\n"
    return header.encode() + first.encode("utf-8") + "".join(lines).encode() + first.encode("cp1252")


def with_column(name: str) -> Callable[[str, list[str]], str]:
    return lambda header, lines: header.strip() + f",{name}\n" + "".join(line.strip() + ",0\n" for line in lines)


BAD = {
    "empty": Bad(lambda header, lines: "", ("is empty", "found:    0 bytes", "deliver the file again")),
    "header_alone": Bad(lambda header, lines: header, ("holds no rows", "a header of 8 columns and nothing else")),
    "blank": Bad(lambda header, lines: "\n\n", ("has no header", "column names in the first line")),
    "cut_off": Bad(
        lambda header, lines: (header + "".join(lines))[:-30],
        ("cannot be read to its end", f"Line: {LINES + 1}", "deliver the file again, complete"),
    ),
    "cut_off_in_quotes": Bad(
        lambda header, lines: header + "".join(lines) + '1,2,"half a descri', ("cannot be read to its end", "CSV Error")
    ),
    "no_parquet": Bad(lambda header, lines: "PAR1 and then nothing", ("cannot be read to its end",), ".parquet"),
    "no_workbook": Bad(lambda header, lines: b"PK\x03\x04" + bytes(5000), ("not a complete xlsx workbook",), ".xlsx"),
    "unknown_format": Bad(lambda header, lines: "%PDF-1.4", (".parquet, .csv, .txt, .xlsx", "found:    .pdf"), ".pdf"),
    "error_page": Bad(
        lambda header, lines: "<html><body>502 Bad Gateway</body></html>\n",
        ("order_lines.Invoice is missing; no new column looks like it (new: <html><body>502 Bad Gateway</body>",),
    ),
    "renamed_column": Bad(
        lambda header, lines: header.replace("Quantity", "Quantity Sold") + "".join(lines),
        (
            "Quantity is missing; Quantity Sold looks like it (name, type, ",
            "nothing is accepted by itself",
            "Quantity Sold",
        ),
    ),
    "missing_column": Bad(
        lambda header, lines: "\n".join(line.rsplit(",", 1)[0] for line in [header, *lines]),
        ("missing 'Country'", "ask for the complete file"),
    ),
    "another_case": Bad(
        lambda header, lines: header.replace("Quantity", "quantity") + "".join(lines),
        ("order_lines.Quantity is missing; quantity looks like it (name, type, ", "nothing is accepted by itself"),
    ),
    "one_gone_one_new": Bad(
        lambda header, lines: (
            header.replace("Country", "Loyalty points")
            + "".join(f"{line.rsplit(',', 1)[0]},{place}\n" for place, line in enumerate(lines))
        ),
        ("Country is missing; no new column looks like it (new: Loyalty points)", "for the complete file"),
    ),
    "both_names": Bad(with_column("UnitPrice"), ("both names of one column 'Price and UnitPrice'",)),
    "name_twice_but_for_case": Bad(with_column("PRICE "), ("name standing twice 'PRICE', 'Price'",)),
    "unparseable_dates": Bad(
        lambda header, lines: header + "".join(line.replace(",2009-", ",2009.") for line in lines),
        (
            f"{LINES} of {LINES} rows do not parse",
            "at most 1.00%",
            "row 1: InvoiceDate: 2009.",
            "is not a date and time",
        ),
    ),
    "mixed_encodings": Bad(
        mixed_encodings,
        ("text encoding is not the same throughout", "line 2 is UTF-8", "export the file again as UTF-8"),
    ),
    "all_in_the_future": Bad(
        lambda header, lines: header + "".join(line.replace(",2009-", ",2999-") for line in lines),
        ("lies before the moment of delivery", "check the dates of the file and the clock"),
    ),
}
ONLY_AS_HISTORY = {"header_alone", "all_in_the_future"}
"""As the file of a night these are something else: a day without a sale, and rows for quarantine."""


@pytest.fixture
def spoiled(retail_files: Shop, tmp_path: Path) -> Callable[[str], Path]:
    """Writes the bad file of a name."""
    header, *lines = retail_files.orders.read_text().splitlines(keepends=True)

    def write(name: str) -> Path:
        bad = BAD[name]
        content = bad.spoil(header, lines[:LINES])
        path = tmp_path / f"{name}{bad.suffix}"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.fixture
def landed(athena: Command, retail_files: Shop, tmp_path: Path) -> Shop:
    """A shop with a small bulk file registered."""
    shop = type(retail_files)(tmp_path / "landed")
    shop.folder.mkdir()
    shop.orders.write_text("".join(retail_files.orders.read_text().splitlines(keepends=True)[: LINES + 1]))
    answer = athena(shop.home, "load", *SOURCE, shop.orders)
    assert answer.code == 0, answer.err
    return shop


@pytest.mark.parametrize("name", BAD)
def test_load_when_the_bulk_file_is_bad_then_it_says_why_and_there_is_no_home(
    name: str, spoiled: Callable[[str], Path], athena: Command, tmp_path: Path
) -> None:
    home, path = tmp_path / "home", spoiled(name)
    answer = athena(home, "load", *SOURCE, path)
    assert answer.code == 1
    assert answer.out == ""
    assert answer.err.startswith("error: ")
    for words in BAD[name].says:
        assert words in answer.err
    assert not home.exists()


@pytest.mark.parametrize("name", sorted(set(BAD) - ONLY_AS_HISTORY))
def test_load_when_a_nights_file_is_bad_then_it_says_why_and_the_home_is_as_before(
    name: str, spoiled: Callable[[str], Path], athena: Command, landed: Shop
) -> None:
    before, path = landed.files(), spoiled(name)
    for check in ((), ("--check",)):
        answer = athena(landed.home, "load", "--night", NIGHT, *check, path)
        assert answer.code == 1
        for words in BAD[name].says:
            assert words in answer.err
    assert landed.files() == before


def test_load_when_the_file_is_truncated_parquet_then_it_says_so(
    athena: Command, landed: Shop, retail_files: Shop, tmp_path: Path
) -> None:
    header, *lines = retail_files.orders.read_text().splitlines(keepends=True)
    whole, path = as_parquet(header, lines[:LINES], tmp_path), tmp_path / "night.parquet"
    before = landed.files()
    for size in (len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        answer = athena(landed.home, "load", "--night", NIGHT, path)
        assert answer.code == 1
        assert "night.parquet cannot be read to its end" in answer.err
        assert f"({size} bytes)" in answer.err
    assert landed.files() == before


def test_load_when_the_file_is_missing_then_it_says_where_it_looked(athena: Command, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    for command in (("load", *SOURCE), ("load", "--check", *SOURCE), ("run", *SOURCE, "--orders")):
        answer = athena(tmp_path / "home", *command, path)
        assert answer.code == 1
        assert "orders.csv does not exist" in answer.err
        assert f"a file at {path}" in answer.err
    assert not (tmp_path / "home").exists()


def test_load_when_the_same_content_comes_again_then_it_is_named_whatever_the_file_is_called(
    athena: Command, landed: Shop
) -> None:
    before = landed.files()
    copy = landed.folder / "export (1).csv"
    copy.write_bytes(landed.orders.read_bytes())
    for path in (landed.orders, copy):
        answer = athena(landed.home, "load", path)
        assert answer.code == 1
        assert f"{path.name} was delivered before" in answer.err
        assert "nothing to do: its rows are already there" in answer.err
    assert landed.files() == before


def test_load_when_a_night_comes_twice_with_other_content_then_the_first_stands(
    athena: Command, landed: Shop, retail_files: Shop
) -> None:
    first, second = (retail_files.night_file(day) for day in ("2011-10-29", "2011-10-30"))
    assert athena(landed.home, "load", "--night", "2011-10-29", first).code == 0
    before = landed.files()
    answer = athena(landed.home, "load", "--night", "2011-10-29", second)
    assert answer.code == 1
    assert "night 2011-10-29 of online_retail_ii was delivered before, with other content" in answer.err
    assert landed.files() == before


def test_load_when_a_registered_file_was_overwritten_then_its_first_rows_are_not_lost(
    athena: Command, landed: Shop
) -> None:
    before, lines = landed.files(), landed.orders.read_text().splitlines(keepends=True)
    landed.orders.write_text("".join([*lines, lines[-1].replace(",1,", ",2,", 1)]))
    for command in (("load",), ("run", *SOURCE, "--orders")):
        answer = athena(landed.home, *command, landed.orders)
        assert answer.code == 1
        assert "orders.csv was delivered before with other content" in answer.err
        assert "load the new content under a name of its own" in answer.err
    assert landed.files() == before


def another_column(header: str, lines: list[str]) -> str:
    return with_column("Discount")(header, lines)


def a_nameless_column(header: str, lines: list[str]) -> str:
    return with_column("")(header, lines)


def a_technical_name(header: str, lines: list[str]) -> str:
    return with_column("source_row")(header, lines)


def another_order(header: str, lines: list[str]) -> str:
    return "".join(",".join(reversed(line.strip().split(","))) + "\n" for line in [header, *lines])


def padded_names(header: str, lines: list[str]) -> str:
    return " " + header.strip().replace(",", "\t, ") + " \n" + "".join(lines)


def padded_values(header: str, lines: list[str]) -> str:
    return header + "".join("\t" + line.strip().replace(",", " \t,\u00a0 ") + "\t \n" for line in lines)


UNREAD = "new column {!r} is not in the contract of raw.order_lines and was not read"
HARMLESS = {
    another_column: [UNREAD.format("Discount")],
    a_nameless_column: [UNREAD.format("")],
    a_technical_name: [UNREAD.format("source_row")],
    another_order: [],
    padded_names: [],
    padded_values: [],
}
"""Changes that take nothing away, and what the command says of them."""


@pytest.mark.parametrize(
    ("change", "suffix"),
    [
        *((change, ".csv") for change in HARMLESS),
        *((change, ".parquet") for change in HARMLESS if change is not a_nameless_column),
    ],
)
def test_load_when_a_change_takes_nothing_away_then_the_same_rows_come_in(
    change: Callable[[str, list[str]], str],
    suffix: str,
    athena: Command,
    landed: Shop,
    retail_files: Shop,
    tmp_path: Path,
) -> None:
    header, *lines = retail_files.night_file(NEXT).read_text().splitlines(keepends=True)
    plain, text, path = tmp_path / "plain.csv", tmp_path / "changed.csv", tmp_path / f"changed{suffix}"
    plain.write_text(header + "".join(lines))
    text.write_text(change(header, lines))
    if suffix == ".parquet":
        duckdb.execute(f"COPY (SELECT * FROM read_csv('{text}', all_varchar = true, delim = ',')) TO '{path}'")
    check, answer = (athena(landed.home, "load", "--night", NEXT, *more, path) for more in (["--check"], []))
    assert (check.code, answer.code) == (0, 0), answer.err
    said = HARMLESS[change]
    assert [line for line in check.out.splitlines() if line.startswith("new column")] == said
    assert answer.out.splitlines()[1:] == said
    manifest = Landing.of(landed.home).for_night("online_retail_ii", Night.parse(NEXT)).files[0]
    assert [UNREAD.format(name) for name in manifest.undeclared_columns] == said
    assert athena(tmp_path / "plain", "load", *SOURCE, "--night", NEXT, plain).code == 0
    assert raw_rows(landed.home) == raw_rows(tmp_path / "plain")


def raw_rows(home: Path) -> list[tuple[object, ...]]:
    """What a home would land for the night `NEXT`."""
    landing, source = Landing.of(home), source_named("online_retail_ii")
    with duckdb.connect() as connection:
        delivery = landing.for_night(source.name, Night.parse(NEXT))
        (select,) = landing.raw_selects(connection, source, delivery, "order_lines")
        sql = f"SELECT * EXCLUDE (delivery_id) FROM ({select.sql}) ORDER BY source_row"
        return connection.execute(sql, select.parameters).fetchall()


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--night", "yesterday"), "'yesterday' is not a night"),
        (("--night", "2999-01-01"), "the night 2999-01-01 is not over yet"),
        (("--first-night", "2011-13-01"), "'2011-13-01' is not a night"),
        (("--first-night", "2005-01-01"), "2005-01-01 cannot be the first night"),
        (("--first-night", "2999-01-01"), "2999-01-01 cannot be the first night"),
        (("--source", "onlineretail"), "no source is called 'onlineretail'"),
        (("--mapping", "none.yaml"), "mapping none.yaml cannot be read"),
    ],
)
def test_load_when_an_option_means_nothing_then_nothing_is_registered(
    options: tuple[str, ...], says: str, athena: Command, retail_files: Shop, tmp_path: Path
) -> None:
    answer = athena(tmp_path / "home", "load", *SOURCE, *options, retail_files.orders)
    assert answer.code == 1
    assert says in answer.err
    assert not (tmp_path / "home").exists()


def test_load_when_nobody_said_whose_files_these_are_then_it_asks(
    athena: Command, retail_files: Shop, tmp_path: Path
) -> None:
    answer = athena(tmp_path / "home", "load", retail_files.orders)
    assert answer.code == 1
    assert "which source delivered these files?" in answer.err
    assert not (tmp_path / "home").exists()


def test_run_when_files_are_given_to_the_simulator_then_no_home_is_parked_for_it(athena: Command, landed: Shop) -> None:
    before = landed.files()
    answer = athena(landed.home, "run", "--orders", landed.orders)
    assert answer.code == 1
    assert "the simulator makes its own orders" in answer.err
    assert f"athena run --source online_retail_ii --orders {landed.orders}" in answer.err
    assert landed.files() == before


def test_load_when_another_retailers_file_is_bad_then_the_home_stays_where_it_is(
    athena: Command, landed: Shop, spoiled: Callable[[str], Path]
) -> None:
    """A refused file of a second source must not leave the first one parked."""
    mapping = landed.folder / "corner.yaml"
    mapping.write_text(
        "name: corner\ndescription: a corner shop\ncurrency: GBP\ntimezone: Europe/London\ntables:\n"
        "  order_lines:\n    columns:\n"
        "      order_id: {from: Invoice}\n      order_ts: {from: InvoiceDate}\n      product_id: {from: StockCode}\n"
        "      quantity: {from: Quantity}\n      unit_price: {from: Price}\n      is_return: {constant: false}\n"
    )
    before = landed.files()
    answer = athena(landed.home, "load", "--mapping", mapping, spoiled("cut_off"))
    assert answer.code == 1
    assert landed.files() == before
    assert [path.name for path in landed.folder.iterdir() if path.name.startswith(".")] == [".athena"]


def test_load_when_the_clock_went_back_then_nothing_is_registered_and_the_clock_is_named(
    athena: Command, landed: Shop, retail_files: Shop
) -> None:
    from athena_cli.clock import showing

    before = landed.files()
    with showing(datetime(2011, 10, 30, 4)):
        answer = athena(landed.home, "load", "--night", "2011-10-29", retail_files.night_file("2011-10-29"))
    assert answer.code == 1
    assert "the clock of this machine stands before the last delivery was registered" in answer.err
    assert "set the clock, then run the same command again" in answer.err
    assert landed.files() == before
