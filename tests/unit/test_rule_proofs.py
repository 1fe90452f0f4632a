"""What a cheap aggregate proves about a column must be what counting the offending rows finds."""

import datetime as dt
import math
from decimal import Decimal

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from checks.compiler import aggregate_sql, compile_rules
from checks.contract import Column, Contract
from checks.evaluation import check_table

READING = Contract(
    schema="plant",
    table="reading",
    version="1.0.0",
    description="Readings.",
    grain="one reading",
    owner="plant",
    consumers=(),
    columns=(
        Column("value", "DOUBLE", "Value.", required=True, minimum=Decimal("-1.5"), maximum=Decimal(2)),
        Column("price", "DECIMAL(18,4)", "Price.", minimum=Decimal(0), maximum=Decimal("9.99")),
        Column("day", "DATE", "Day.", required=True, minimum="2026-01-01", maximum="2026-12-31"),
    ),
)
VALUES = st.one_of(
    st.none(),
    st.sampled_from([math.nan, math.inf, -math.inf, -1.5, -1.5000001, 2.0, 2.0000001, 0.0, -0.0]),
    st.floats(-2, 3),
)
PRICES = st.none() | st.decimals(-1, 11, places=4)
DAYS = st.none() | st.dates(min_value=dt.date(2025, 12, 30), max_value=dt.date(2027, 1, 2))
ROWS = st.lists(st.tuples(VALUES, PRICES, DAYS), max_size=12)


@settings(max_examples=200, deadline=None)
@given(rows=ROWS)
def test_rules_when_proved_or_counted_then_the_same_figures(
    rows: list[tuple[float | None, Decimal | None, object]],
) -> None:
    types = (pa.float64(), pa.decimal128(18, 4), pa.date32())
    columns = [pa.array([row[place] for row in rows], kind) for place, kind in enumerate(types)]
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA plant")
        connection.execute(READING.ddl())
        connection.register("delivered", pa.table(dict(zip(("value", "price", "day"), columns, strict=True))))
        connection.execute("INSERT INTO plant.reading FROM delivered")
        rules = compile_rules(READING)
        ((count, *counted),) = connection.execute(
            aggregate_sql("plant.reading", [rule.expression for rule in rules])
        ).fetchall()
        _, *found = check_table(connection, READING).results
    assert count == len(rows)
    assert [(each.rule.id, each.figure) for each in found] == [
        (rule.id, value) for rule, value in zip(rules, counted, strict=True)
    ]


def test_rules_of_ranges_have_a_proof_and_those_of_nulls_a_cheaper_count() -> None:
    rules = compile_rules(READING)
    assert len(rules) == 9
    assert {rule.id for rule in rules if rule.proof is None} == {"value.required", "day.required"}
    assert all(rule.proof or rule.cheaper for rule in rules)
