"""Facts are made for whom they serve: the rules of a source decide which, by the columns that they name."""

import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml

import athena_assets.orders.rules as rules
from athena_assets.nights import Night
from athena_assets.orders.cleaning import clean_statements
from athena_assets.orders.statements import Scope
from athena_assets.sources.source import Source, source_named
from athena_assets.sources.tables import RAW_TABLES, TECHNICAL
from tests.unit.cleaning_warehouse import clean_into, create_tables

SIMULATOR, RETAIL = source_named("simulator"), source_named("online_retail_ii")
COPIES = {"line_fingerprints", "line_passes", "line_copies"}
NIGHT = Night(date(2011, 3, 2))
SCOPES = (Scope.history(), Scope.of_night(NIGHT))
Ruled = Callable[..., Source]


@pytest.fixture
def ruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ruled]:
    """A source with rules of its own: rows of a table of which one of `whens` holds are refused."""
    shutil.copy(rules.RULES / "common.yaml", tmp_path)
    monkeypatch.setattr(rules, "RULES", tmp_path)

    def source_of(source: Source, table: str, *whens: str) -> Source:
        refused = [
            {"code": f"probe_{number}", "disposition": "quarantine", "when": when, "reason": "The test asks for it."}
            for number, when in enumerate(whens)
        ]
        rest = {"code": "rest", "disposition": "keep", "when": "true", "reason": "Everything else."}
        document = {"tables": {table: [*refused, {"use": "contract"}, rest]}}
        (tmp_path / "ruled.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
        rules.rules_for.cache_clear()
        return Source(source.mapping.model_copy(update={"name": "ruled", "corrects_orders": False}), "here")

    yield source_of
    rules.rules_for.cache_clear()


def facts(source: Source, table: str | None = None) -> set[str]:
    """The facts that are made in a night, for one clean table or for all."""
    statements = clean_statements(source, Scope.of_night(NIGHT))
    return {fact.name for each in statements if table in (None, each.table) for fact in each.facts}


@pytest.mark.parametrize(
    ("source", "made"),
    [
        (
            SIMULATOR,
            COPIES | {"order_nights", "known_orders", "earlier_lines", "order_codes", "orders_again", "order_versions"},
        ),
        (RETAIL, COPIES | {"order_nights", "known_orders", "earlier_lines", "known_lines", "line_reversals"}),
    ],
)
def test_facts_of_lines_when_a_shipped_source_is_cleaned_then_its_rules_read_each(
    source: Source, made: set[str]
) -> None:
    assert facts(source, "order_lines") == made


def test_facts_when_no_rule_reads_one_then_none_is_made(ruled: Ruled) -> None:
    source = ruled(RETAIL, "order_lines", "quantity = 0")
    assert facts(source) == set()
    lines = clean_statements(source, Scope.of_night(NIGHT))[0]
    assert "JOIN" not in lines.select
    assert "order_lines_history" not in lines.whole


LINES: list[tuple[str, str, int, int]] = [
    ("1", "P1", 1, 0),
    ("1", "P2", 1, 0),
    ("2", "P1", 1, 60),
    ("2", "P1", 1, 60),
    ("3", "P3", 5, 120),
    ("C3", "P3", -5, 150),
    ("2", "P1", 1, 60),
]
"""Order, product, quantity and minute of a night's lines; the first has come before."""


def insert_line(connection: duckdb.DuckDBPyConnection, suffix: str, number: int, night: Night) -> None:
    order_id, product_id, quantity, minute = LINES[number - 1]
    row: dict[str, Any] = {
        "delivery_id": night.key, "source_row": number, "night": night.day, "known_at": night.as_of,
        "order_id": order_id, "customer_id": "C-1", "product_id": product_id, "quantity": quantity,
        "order_ts": datetime(2011, 3, 1, 9) + timedelta(minutes=minute), "unit_price": Decimal(2),
        "is_return": quantity < 0, "country": "France",
    }  # fmt: skip
    values = ", ".join(f"${name}" for name in row)
    connection.execute(f"INSERT INTO raw.order_lines{suffix} ({', '.join(row)}) VALUES ({values})", row)


@pytest.mark.parametrize(
    ("when", "made", "rows"),
    [
        ("copy > 1", COPIES, [7]),
        ("Repetition > 1", COPIES, [4]),
        ("order_known", {"order_nights", "known_orders"}, [1, 2]),
        ("times_known = 1", {"order_nights", "known_orders", "earlier_lines", "known_lines"}, [1]),
        ("minutes_to_reversal = 30", {"line_reversals"}, [5, 6]),
        ("amount < 0 AND NOT order_known", {"order_nights", "known_orders"}, [6]),
    ],
)
def test_rule_when_it_names_a_column_then_it_gets_it_and_no_other_fact_is_made(
    ruled: Ruled, when: str, made: set[str], rows: list[int]
) -> None:
    source = ruled(RETAIL, "order_lines", when)
    assert facts(source) == made
    with duckdb.connect(config={"threads": 1}) as connection:
        create_tables(connection)
        insert_line(connection, "_history", 1, NIGHT.plus(-1))
        for number in range(1, len(LINES) + 1):
            insert_line(connection, "", number, NIGHT)
        for scope in SCOPES:
            clean_into(connection, source, scope)
        refused = connection.execute("SELECT source_row FROM orders.quarantine ORDER BY ALL").fetchall()
    assert [number for (number,) in refused] == rows


GIVEN = {
    "order_lines": ("repetition", "copy", "times_known", "order_known", "minutes_to_reversal"),
    "orders": ("copy", "known_before", "lines_total", "item_count", "line_count", "is_correction"),
}
"""What rules may name beside the raw columns; of every other table `copy` and `known_before`."""


@pytest.mark.parametrize("table", RAW_TABLES)
def test_rules_when_they_name_any_column_of_a_row_and_its_facts_then_they_are_accepted(
    ruled: Ruled, table: str
) -> None:
    raw = [column.name for column in (*TECHNICAL, *RAW_TABLES[table].columns)]
    columns = [*raw, "amount", *GIVEN.get(table, ("copy", "known_before"))]
    source = ruled(SIMULATOR, table, *(f"{column} IS NULL" for column in columns))
    with duckdb.connect(config={"threads": 1}) as connection:
        create_tables(connection)
        for scope in SCOPES:
            clean_into(connection, source, scope)
