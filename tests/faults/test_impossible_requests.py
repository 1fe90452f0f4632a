"""A command that cannot be done says so before it starts: by name, with the next command, and without a trace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

CUSTOMER = ("features", "--customer")
ORDERS, REGISTERED = "orders.orders", "churn.registered"
GRANT = ("override", "grant", ORDERS, "2011-10-28", "--by", "Ada", "--reason", "the sums are confirmed")
REFUSED = {
    "night_before_its_data": (
        ("night", "2011-10-29"),
        ("the night 2011-10-29 has not been delivered", "a night up to 2011-10-28", "athena load --night 2011-10-29"),
    ),
    "night_in_the_history": (
        ("night", "2011-10-01"),
        ("the night 2011-10-01 lies in the bulk history", "a night from 2011-10-28 on"),
    ),
    "no_night_at_all": (("night", "28/10/2011"), ("'28/10/2011' is not a night", "written YYYY-MM-DD")),
    "night_beyond_all_calendars": (("night", "9999-12-31"), ("'9999-12-31' is not a night", "to 2999-12-31")),
    "night_of_nobody": (("night", "0001-01-01"), ("'0001-01-01' is not a night", "from 1900-01-01")),
    "night_of_the_next_century": (("night", "2150-01-01"), ("the night 2150-01-01 has not been delivered",)),
    "load_of_a_night_beyond": (("load", "--night", "9999-12-31", "none.csv"), ("'9999-12-31' is not a night",)),
    "plan_of_a_night_beyond": (("plan", "nights", "9999-12-31"), ("'9999-12-31' is not a night",)),
    "why_of_a_month_of_nights": (("why", ORDERS, "2011-10"), ("'2011-10' is not a night", "written YYYY-MM-DD")),
    "why_of_no_day": (("why", ORDERS, "9999-99-99"), ("'9999-99-99' is not a night",)),
    "why_of_a_night_in_the_history": (
        ("why", ORDERS, "2011-10-01"),
        ("orders.orders has no partition 2011-10-01", "a night from 2011-10-28 on", f"athena why {ORDERS}"),
    ),
    "why_of_a_day_of_months": (
        ("why", REGISTERED, "2011-09-13"),
        ("churn.registered has no partition 2011-09-13", "a month, YYYY-MM, from 2011-09 on"),
    ),
    "check_to_a_night_beyond": (
        ("check", ORDERS, "2011-10-28", "--to", "9999-12-31"),
        ("orders.orders 9999-12-31 has not been written", "2011-10-28 to 2011-10-28"),
    ),
    "override_for_no_time": ((*GRANT, "--hours", "nan"), ("an override lasts at most a week", "nan hours")),
    "override_for_ever": ((*GRANT, "--hours", "inf"), ("an override lasts at most a week", "inf hours")),
    "override_for_ages": ((*GRANT, "--hours", "1e300"), ("an override lasts at most a week", "1e+300 hours")),
    "month_beyond_all_calendars": (("train", "--month", "9999-12"), ("'9999-12' is not a month", "to 2999-12")),
    "customer_before_all_calendars": (
        (*CUSTOMER, "C-00000001", "--as-of", "0001-01-01"),
        ("'0001-01-01' is not a day",),
    ),
    "backtest_beyond_all_calendars": (("backtest", "--as-of", "9999-12-31"), ("'9999-12-31' is not a day",)),
    "no_number_of_purchases": (("run", "--purchases-per-year", "nan"), ("purchases_per_year = nan",)),
    "unknown_customer": (
        (*CUSTOMER, "C-99999999"),
        ("customer C-99999999 has no order before 2011-10-29", "check the id"),
    ),
    "unknown_customer_explained": ((*CUSTOMER, "C-99999999", "--explain"), ("customer C-99999999 has no order",)),
    "customer_of_the_future": (
        (*CUSTOMER, "C-00000001", "--as-of", "2011-10-30"),
        ("what was known when 2011-10-30 began has not been delivered", "a day up to 2011-10-29"),
    ),
    "customer_before_the_shop": ((*CUSTOMER, "C-00000001", "--as-of", "1999-01-01"), ("has no order before 1999",)),
    "no_day_at_all": ((*CUSTOMER, "C-00000001", "--as-of", "soon"), ("'soon' is not a day",)),
    "explained_before_any_night": (
        (*CUSTOMER, "C-00000001", "--explain", "--as-of", "2011-06-01"),
        ("no night up to 2011-05-31 has been run",),
    ),
    "explained_without_customer": (("features", "--explain"), ("which customer?", "--customer")),
    "unknown_model": (("models", "fraud"), ("fraud", "churn")),
    "training_of_an_unknown_model": (("train", "fraud"), ("there is no model fraud", "one of churn")),
    "month_before_the_nights": (
        ("train", "--month", "2010-01"),
        ("2010-01 cannot be trained on", "a month from 2011-09"),
    ),
    "month_not_over": (("train", "--month", "2011-10"), ("2011-10 cannot be trained on", "to 2011-09")),
    "no_month_at_all": (("train", "--month", "October"), ("'October' is not a month", "YYYY-MM")),
    "backtest_without_outcome": (
        ("backtest", "--as-of", "2011-10-01"),
        ("the outcome of 2011-10-01 is not known yet", "orders for the 90 days after it"),
    ),
    "backtest_before_the_shop": (("backtest", "--as-of", "2009-11-01"), ("180 days of orders",)),
    "too_many_customers": (("simulate", "--customers", "99000000"), ("customers = 99000000", "<= 10000000")),
    "no_purchase_at_all": (
        ("run", "--purchases-per-year", "0"),
        ("purchases_per_year = 0.0", ">= 0.1"),
    ),
    "files_nobody_named": (("run", "--source", "another_shop"), ("no source is called 'another_shop'",)),
}
TOLD = "night_before_its_data"
"""The night is over, so what it lacks is somebody else's to deliver; what cannot ever be done is not."""


@pytest.mark.parametrize("name", REFUSED)
def test_command_when_it_cannot_be_done_then_it_is_refused_and_the_home_is_as_before(
    name: str, athena: Command, retail_evening: Shop
) -> None:
    arguments, says = REFUSED[name]
    before = retail_evening.files()
    answer = athena(retail_evening.home, *arguments)
    assert answer.code == 1
    assert answer.out == ""
    assert "error: " in answer.err
    for words in says:
        assert words in answer.err
    assert retail_evening.files() == before
    assert name == TOLD or "ERROR alert" not in answer.err


@pytest.mark.parametrize("month", ["2011-09", "2011-09-01"])
def test_month_when_it_is_named_either_way_then_every_command_takes_it(
    month: str, athena: Command, retail_shop: Shop
) -> None:
    assert athena(retail_shop.home, "why", REGISTERED, month).code == 0
    assert athena(retail_shop.home, "check", REGISTERED, month).code == 0
    said = ("--by", "Ada", "--reason", "the month is judged by hand")
    granted = athena(retail_shop.home, "override", "grant", "churn.evaluation", month, *said)
    assert granted.code == 0, granted.err
    assert granted.out.startswith("churn.evaluation 2011-09-01: overridden by Ada")


@pytest.mark.parametrize(
    "arguments",
    [
        ("night", "2011-10-28"),
        ("train",),
        ("backtest", "--as-of", "2011-06-01"),
        (*CUSTOMER, "C-00000001"),
        (*CUSTOMER, "C-00000001", "--explain"),
    ],
    ids=" ".join,
)
def test_command_when_nothing_has_been_landed_then_it_says_how_to_begin(
    arguments: tuple[str, ...], athena: Command, tmp_path: Path
) -> None:
    answer = athena(tmp_path / "home", *arguments)
    assert answer.code == 1
    assert "nothing has been landed in this home yet" in answer.err
    assert "athena run" in answer.err
    assert not (tmp_path / "home").exists()


def test_command_when_orders_are_landed_and_not_cleaned_then_it_says_what_to_run(
    athena: Command, retail_files: Shop, tmp_path: Path
) -> None:
    shop = retail_files.copied_to(tmp_path / "shop")
    assert athena(shop.home, "load", "--source", "online_retail_ii", shop.orders).code == 0
    for arguments in ((*CUSTOMER, "C-00000001"), ("train",), ("backtest", "--as-of", "2011-06-01")):
        answer = athena(shop.home, *arguments)
        assert answer.code == 1, arguments
        assert "next:     athena run" in answer.err
    assert athena(shop.home, "doctor").code == 1


def test_run_when_the_first_night_is_still_to_come_then_it_says_what_it_waits_for(
    athena: Command, retail_files: Shop, tmp_path: Path
) -> None:
    shop = type(retail_files)(tmp_path)
    lines = retail_files.orders.read_text().splitlines(keepends=True)[:200]
    shop.orders.write_text("".join(lines))
    last = max(line.split(",")[4][:10] for line in lines[1:])
    to_come = f"{last[:8]}{int(last[8:]) + 1:02d}"
    load = ("load", "--source", "online_retail_ii", "--first-night", to_come, shop.orders)
    assert athena(shop.home, *load).code == 0
    answer = athena(shop.home, "run", "--source", "online_retail_ii")
    assert answer.code == 1
    assert "no night has been delivered after the history" in answer.err
    assert f"athena load --night {to_come} FILES" in answer.err


def test_run_when_there_is_no_history_to_train_on_then_it_says_so(
    athena: Command, retail_files: Shop, tmp_path: Path
) -> None:
    shop = type(retail_files)(tmp_path)
    lines = retail_files.orders.read_text().splitlines(keepends=True)[:20]
    shop.orders.write_text("".join(lines))
    first = lines[1].split(",")[4][:10]
    assert athena(shop.home, "load", "--source", "online_retail_ii", "--first-night", first, shop.orders).code == 0
    answer = athena(shop.home, "run", "--source", "online_retail_ii")
    assert answer.code == 1
    assert "there is no order to train on" in answer.err


def test_command_when_the_home_is_a_file_then_it_says_so(athena: Command, retail_files: Shop, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.write_text("not a folder")
    for arguments in (("night", "2011-10-28"), ("load", "--source", "online_retail_ii", retail_files.orders)):
        answer = athena(home, *arguments)
        assert answer.code == 1
        assert "cannot be a home" in answer.err
        assert "set ATHENA_HOME to a folder" in answer.err
    assert home.read_text() == "not a folder"


SETTINGS = {
    "THREADS": ("0", "many", "1.5"),
    "MEMORY_LIMIT": ("plenty", "-4GB", "99999999999999999999GB"),
    "LOCK_WAIT_SECONDS": ("-1", "soon", "1e300"),
    "ALERT_REMINDER_HOURS": ("0", "1e300", "inf"),
    "ACTOR": ("", "Ada\nnext: night"),
}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in SETTINGS.items() for value in values])
def test_command_when_a_setting_is_wrong_then_the_variable_is_named_and_nothing_runs(
    name: str, value: str, athena: Command, retail_evening: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"ATHENA_{name}", value)
    before = retail_evening.files()
    for arguments in (("night", "2011-10-28"), ("doctor",), ("models", "--json")):
        answer = athena(retail_evening.home, *arguments)
        assert answer.code == 1
        assert answer.out == ""
        assert f"the environment variable ATHENA_{name} is not valid" in answer.err
        assert f"found:    {value!r}" in answer.err
    assert retail_evening.files() == before
