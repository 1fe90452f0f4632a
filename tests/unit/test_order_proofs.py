"""What the order of rows proves must hold in whatever order they come, and what it cannot prove must be counted."""

import datetime as dt
from collections.abc import Iterator

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.contract import Column, Contract
from checks.evaluation import check_table
from checks.ordered import order_proofs

NIGHTS = (dt.date(2026, 3, 1), dt.date(2026, 3, 2))
TONIGHT = NIGHTS[1]
WHERE = f"night = DATE '{TONIGHT}'"
Row = tuple[dt.date, str | None, int | None]


def contract(table: str, keys: tuple[str, ...], columns: tuple[Column, ...]) -> Contract:
    night = Column("night", "DATE", "Night.", key="night" in keys)
    return Contract(
        schema="shop",
        table=table,
        version="1.0.0",
        description="Rows.",
        grain="one row",
        owner="shop",
        consumers=(),
        columns=(night, *columns),
    )


SCORE = contract(
    "score",
    ("night", "who"),
    (Column("who", "VARCHAR", "Who.", key=True, references="shop.feature.who"), Column("part", "INTEGER", "Part.")),
)
SALE = contract(
    "sale",
    (),
    (
        Column("who", "VARCHAR", "Who.", key=True, references="shop.feature.who"),
        Column("part", "INTEGER", "Part.", key=True),
    ),
)
NAMES = st.sampled_from(["A", "AA", "B", "Ä", "", "\U0001f600"])
ROWS = st.lists(st.tuples(st.sampled_from(NIGHTS), st.none() | NAMES, st.none() | st.integers(-1, 2)), max_size=8)


def in_order(rows: list[Row]) -> list[Row]:
    return sorted(rows, key=lambda row: (row[0], row[1] is None, (row[1] or "").encode(), row[2] is None, row[2] or 0))


@pytest.fixture(scope="module")
def shop() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA shop")
        for table in ("score", "sale", "feature"):
            connection.execute(f"CREATE TABLE shop.{table} (night DATE, who VARCHAR, part INTEGER)")
        yield connection


def fill(connection: duckdb.DuckDBPyConnection, table: str, rows: list[Row]) -> None:
    connection.execute(f"DELETE FROM shop.{table}")
    for row in rows:
        connection.execute(f"INSERT INTO shop.{table} VALUES (?, ?, ?)", list(row))


@settings(max_examples=300, deadline=None)
@given(own=ROWS, referred=ROWS, ordered=st.booleans(), same=st.booleans(), whole=st.booleans())
def test_figures_when_rows_come_in_any_order_then_repeats_and_strangers_are_counted(
    shop: duckdb.DuckDBPyConnection, own: list[Row], referred: list[Row], ordered: bool, same: bool, whole: bool
) -> None:
    own = in_order(own) if ordered else own
    referred = list(own) if same else in_order(referred) if ordered else referred
    fill(shop, "feature", referred)
    known = {who for _, who, _ in referred}
    for table, keys in ((SCORE, (0, 1)), (SALE, (1, 2))):
        fill(shop, table.table, own)
        rows = [row for row in own if whole or row[0] == TONIGHT]
        found = check_table(shop, table, partition=None if whole else TONIGHT.isoformat()).results
        figures = {each.rule.id: each.figure for each in found}
        assert figures["key.unique"] == len(rows) - len({tuple(row[place] for place in keys) for row in rows})
        assert figures["who.references"] == sum(who is not None and who not in known for _, who, _ in rows)


def proved(connection: duckdb.DuckDBPyConnection, table: Contract) -> dict[str, bool]:
    proofs = order_proofs(connection, table, WHERE, is_partition=True)
    return {rule: connection.execute(f"SELECT {proof}").fetchall() == [(True,)] for rule, proof in proofs.items()}


ORDERED: list[Row] = [(TONIGHT, "A", 1), (TONIGHT, "AA", 1), (TONIGHT, "B", 0)]


@pytest.mark.parametrize("table", [SCORE, SALE], ids=["one row each", "few rows of many"])
@pytest.mark.parametrize(
    ("own", "referred", "keys", "references"),
    [
        (ORDERED, ORDERED, True, True),
        ([], ORDERED, True, True),
        ([ORDERED[0], ORDERED[0]], [ORDERED[0], ORDERED[0]], False, True),
        (ORDERED, ORDERED[:2], True, False),
        ([(TONIGHT, None, 1), *ORDERED], [(TONIGHT, None, 1), *ORDERED], False, True),
        (ORDERED, [(NIGHTS[0], "0", 1), *ORDERED], True, True),
    ],
    ids=["as written", "no rows", "a repeated key", "a stranger", "a null key", "an earlier night before"],
)
def test_proofs_when_rows_are_as_they_are_written_then_they_are_found_and_else_not(
    shop: duckdb.DuckDBPyConnection,
    table: Contract,
    own: list[Row],
    referred: list[Row],
    keys: bool,
    references: bool,
) -> None:
    fill(shop, table.table, own)
    fill(shop, "feature", referred)
    assert proved(shop, table) == {"key.unique": keys, "who.references": references}


MANY = 130_000


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("place", [1, 2047, 2048, 2049, 122_879, 122_880, MANY - 1])
def test_proofs_when_one_row_of_many_offends_then_it_is_found_wherever_it_lies(threads: int, place: int) -> None:
    """On the edges of what DuckDB reads at a time, too."""
    columns = f"DATE '{TONIGHT}' AS night, 0 AS part"
    with duckdb.connect(config={"threads": threads}) as shop:
        shop.execute("CREATE SCHEMA shop")
        shop.execute(
            f"CREATE TABLE shop.feature AS SELECT {columns}, printf('C-%08d', range) AS who FROM range({MANY})"
        )
        shop.execute("CREATE TABLE shop.score AS FROM shop.feature")
        shop.execute("CREATE TABLE shop.sale AS FROM shop.feature")
        for table in (SCORE, SALE):
            assert proved(shop, table) == {"key.unique": True, "who.references": True}
        for table in (SCORE, SALE):
            repeated = f"printf('C-%08d', row - CAST(row = {place} AS INTEGER)) AS who"
            shop.execute(
                f"CREATE OR REPLACE TABLE {table.address} AS SELECT * REPLACE ({repeated})"
                f" FROM (SELECT *, row_number() OVER () - 1 AS row FROM {table.address}) ORDER BY row"
            )
            assert proved(shop, table)["key.unique"] is False
        assert proved(shop, SCORE)["who.references"] is False
        shop.execute("UPDATE shop.sale SET who = 'C-x' WHERE row = $place", {"place": place})
        assert proved(shop, SALE)["who.references"] is False


def test_references_when_the_register_has_no_nights_then_it_is_asked_as_a_whole(
    shop: duckdb.DuckDBPyConnection,
) -> None:
    shop.execute("CREATE OR REPLACE TABLE shop.feature (who VARCHAR)")
    shop.execute("INSERT INTO shop.feature VALUES ('B'), ('A'), ('AA')")
    fill(shop, "score", ORDERED)
    assert proved(shop, SCORE) == {"key.unique": True, "who.references": True}
    shop.execute("CREATE OR REPLACE TABLE shop.feature (night DATE, who VARCHAR, part INTEGER)")
