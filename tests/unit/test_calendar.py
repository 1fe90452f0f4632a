"""On which days a retailer trades."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from athena_assets.sources.calendar import TradingCalendar
from athena_assets.sources.source import source_named
from checks.contract_files import load_contract
from tests.unit.test_contract import faults

SHOP = TradingCalendar.model_validate(
    {"closed_weekdays": ["saturday"], "closed": ["2010-08-30", {"from": "2010-12-24", "to": "2011-01-03"}]}
)


@pytest.mark.parametrize(
    ("day", "is_open"),
    [
        ("2010-08-27", True),
        ("2010-08-28", False),
        ("2010-08-30", False),
        ("2010-12-23", True),
        ("2010-12-24", False),
        ("2010-12-27", False),
        ("2011-01-03", False),
        ("2011-01-04", True),
    ],
)
def test_calendar_when_days_are_declared_closed_then_the_retailer_trades_on_the_others(day: str, is_open: bool) -> None:
    assert SHOP.is_open(date.fromisoformat(day)) is is_open


def test_calendar_when_nothing_is_declared_then_every_day_is_open() -> None:
    assert all(TradingCalendar().is_open(date(2026, 1, day)) for day in range(1, 32))


@pytest.mark.parametrize(
    "wrong",
    [
        {"closed": [{"from": "2011-01-03", "to": "2010-12-24"}]},
        {"closed_weekdays": ["saterday"]},
        {"closed_weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]},
        {"holidays": []},
    ],
)
def test_calendar_when_it_says_what_it_cannot_mean_then_it_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TradingCalendar.model_validate(wrong)


def test_calendar_when_it_is_online_retail_then_saturdays_and_bank_holidays_are_closed(tmp_path: Path) -> None:
    calendar = source_named("online_retail_ii", mapped=tmp_path).mapping.calendar
    days = [date(2010, 12, 25), date(2011, 4, 29), date(2011, 8, 27), date(2011, 8, 31), date(2011, 8, 28)]
    assert [calendar.is_open(day) for day in days] == [False, False, False, True, True]


@pytest.mark.parametrize("table", ["raw.order_lines", "raw.orders", "orders.order_lines", "orders.orders"])
def test_rows_when_none_came_then_it_is_a_fault_on_an_open_day_alone(table: str) -> None:
    import duckdb

    from checks.evaluation import check_table

    contract = load_contract(table)
    with duckdb.connect() as connection:
        for name in ("orders.customers", "orders.products", "orders.orders", "orders.order_lines"):
            of = load_contract(name)
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {of.schema}")
            connection.execute(of.ddl())
            connection.execute(f"CREATE VIEW orders.all_{of.table} AS FROM {of.address}")
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {contract.schema}")
        connection.execute(contract.ddl())
        found = [
            faults(check_table(connection, contract, partition="2026-01-01", is_open=is_open))
            for is_open in (True, False)
        ]
    assert found == [{"rows.open_day"}, set()]
