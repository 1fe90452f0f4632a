"""A retailer's own tables hold what a look-up answers: night, training set and command, without a tolerance."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from athena_assets.features.evaluate import evaluate_customers
from athena_assets.nights import Night
from athena_cli.workplace import Workplace
from resources.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from tests.conftest import Command, Shop

NIGHT_TABLE = "features.customer_features"
TRAINING_TABLE = "churn.training_set"


@pytest.fixture(scope="module")
def workplace(simulated_evening: Shop) -> Workplace:
    """The home of a retailer with every table that features read."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ATHENA_HOME", "DAGSTER_HOME", "ATHENA_DAGSTER_STORAGE"):
            patch.setenv(name, str(simulated_evening.home))
        workplace = Workplace(Settings(home=simulated_evening.home))
        assert workplace.athena.feature_set.unavailable == {}
    return workplace


def days_of(workplace: Workplace, table: str) -> list[datetime]:
    """The days at which a table has features, ascending."""
    return [day for (day,) in workplace.ask(f"SELECT DISTINCT as_of FROM {table} ORDER BY as_of")]


def stored_and_looked_up(workplace: Workplace, table: str, as_of: datetime) -> tuple[pa.Table, pa.Table]:
    """What the pipeline wrote for a day, and what a look-up of those customers answers now."""
    features = workplace.athena.feature_set
    columns = ", ".join(("customer_id", "as_of", *features.columns))
    night = Night.of_as_of(as_of)
    with workplace.orders() as connection:
        stored = connection.sql(
            f"SELECT {columns} FROM {table} WHERE as_of = $as_of ORDER BY customer_id", params={"as_of": as_of}
        ).to_arrow_table()
        names = stored.column("customer_id").to_pylist()
        asked = evaluate_customers(connection, features, names, as_of=night.as_of, cutoff=night.cutoff)
    return stored, asked


@pytest.mark.parametrize(("table", "days"), [(NIGHT_TABLE, 1), (TRAINING_TABLE, 3)])
def test_table_when_every_customer_of_it_is_looked_up_then_the_bits_are_the_same(
    table: str, days: int, workplace: Workplace
) -> None:
    found = days_of(workplace, table)
    assert len(found) >= days
    for as_of in found:
        stored, asked = stored_and_looked_up(workplace, table, as_of)
        assert stored.num_rows > 500
        assert asked.schema == stored.schema
        # A DOUBLE's repr is its bits, the sign of nought included.
        assert repr(asked.to_pylist()) == repr(stored.to_pylist())


@pytest.mark.parametrize("table", [NIGHT_TABLE, TRAINING_TABLE])
def test_features_command_when_asked_of_a_day_that_was_written_then_it_says_what_stands_there(
    table: str, workplace: Workplace, athena: Command, simulated_evening: Shop
) -> None:
    as_of = days_of(workplace, table)[-1]
    stored, _ = stored_and_looked_up(workplace, table, as_of)
    for row in (stored.to_pylist()[0], stored.to_pylist()[-1]):
        answer = athena(
            simulated_evening.home,
            "features",
            "--customer",
            row["customer_id"],
            "--as-of",
            f"{as_of:%Y-%m-%d}",
            "--json",
        )
        assert answer.code == 0, answer.err
        told = json.loads(answer.out)
        assert {name: told[name] for name in row} == json.loads(json.dumps(row, default=str))
