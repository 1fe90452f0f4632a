"""After a wrong delivery was replaced, readers find the bytes that they would have found without it."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from athena_assets.nights import Night
from athena_assets.sources.landing import Landing

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

NIGHT, NEXT = "2011-10-29", "2011-10-30"
CLEAN = ("order_lines", "orders", "customers", "products", "quarantine", "accounting")
Change = Callable[[list[str]], list[str]]


def without_customers(cells: list[str]) -> list[str]:
    """What a check stops."""
    return [*cells[:6], "", cells[7]]


def a_little_dearer(cells: list[str]) -> list[str]:
    """What no check can know."""
    return [*cells[:5], f"{float(cells[5]) * 1.05:.2f}", *cells[6:]]


def spoil(path: Path, change: Change) -> str:
    """Spoil a file in its place; what it held before."""
    good = path.read_text()
    header, *lines = good.splitlines()
    path.write_text("\n".join([header, *(",".join(change(line.split(","))) for line in lines)]) + "\n")
    return good


def published(shop: Shop) -> dict[str, str]:
    return {name: digest for name, digest in shop.files().items() if name.startswith("published/predictions")}


def clean_rows(shop: Shop) -> dict[str, list[tuple[object, ...]]]:
    """Raw lines and every clean table of all nights."""
    tables = ["raw.order_lines", *(f"orders.{table}" for table in CLEAN)]
    return {table: shop.rows(f"SELECT * FROM {table} ORDER BY ALL") for table in tables}


def id_of(shop: Shop, night: str) -> str:
    """The id of the night's own delivery."""
    found = Landing.of(shop.home).for_night(Landing.of(shop.home).deliveries()[0].source, Night.parse(night))
    return found.delivery_id


def run(athena: Command, shop: Shop, *command: object) -> str:
    answer = athena(shop.home, *command)
    assert answer.code == 0, answer.err or answer.out
    return answer.out


def refused(athena: Command, shop: Shop, *command: object) -> str:
    answer = athena(shop.home, *command)
    assert answer.code == 1, answer.out
    return answer.err


def next_commands(said: str) -> list[list[str]]:
    """The commands that an answer says to type next, each without its `athena`."""
    (line,) = [line for line in said.splitlines() if line.startswith("next: ")]
    return [shlex.split(command)[1:] for command in line.removeprefix("next: ").split(" && ")]


@pytest.fixture
def clean_shop(athena: Command, retail_evening: Shop, tmp_path: Path) -> Shop:
    """The shop that got the good files in the first place: two more nights, published."""
    shop = retail_evening.copied_to(tmp_path / "clean")
    for night in (NIGHT, NEXT):
        run(athena, shop, "load", "--night", night, shop.night_file(night))
        run(athena, shop, "night", night)
    return shop


def test_night_when_its_stopped_delivery_was_replaced_then_everything_is_as_if_the_good_one_had_come_first(
    athena: Command, retail_shop: Shop, clean_shop: Shop
) -> None:
    path = retail_shop.night_file(NIGHT)
    good = spoil(path, without_customers)
    run(athena, retail_shop, "load", "--night", NIGHT, path)
    assert "was stopped by" in refused(athena, retail_shop, "night", NIGHT)
    wrong = id_of(retail_shop, NIGHT)
    path.write_text(good)
    assert f"athena load --night {NIGHT} --replaces {wrong}" in refused(athena, retail_shop, "night", NIGHT)
    said = run(athena, retail_shop, "load", "--replaces", wrong, path)
    assert f"it stands in the place of {wrong}" in said
    assert next_commands(said) == [["night", NIGHT]]
    run(athena, retail_shop, "night", NIGHT)
    run(athena, retail_shop, "load", "--night", NEXT, retail_shop.night_file(NEXT))
    run(athena, retail_shop, "night", NEXT)
    assert published(retail_shop) == published(clean_shop)
    assert clean_rows(retail_shop) == clean_rows(clean_shop)
    run(athena, retail_shop, "doctor")


def test_night_when_its_published_delivery_was_replaced_then_it_and_later_ones_are_made_anew_when_told_to(
    athena: Command, retail_shop: Shop, clean_shop: Shop
) -> None:
    path = retail_shop.night_file(NIGHT)
    good = spoil(path, a_little_dearer)
    for night in (NIGHT, NEXT):
        run(athena, retail_shop, "load", "--night", night, retail_shop.night_file(night))
        run(athena, retail_shop, "night", night)
    wrong, before = id_of(retail_shop, NIGHT), published(retail_shop)
    assert before != published(clean_shop)
    path.write_text(good)
    said = run(athena, retail_shop, "load", "--night", NIGHT, "--replaces", wrong, path)
    rows = clean_rows(retail_shop)

    assert f"athena night {NIGHT} --current" in refused(athena, retail_shop, "night", NIGHT)
    assert f"athena night {NIGHT} --current" in refused(athena, retail_shop, "night", NEXT, "--current")
    assert clean_rows(retail_shop) == rows, "what was published stays as it was until it is made anew"
    assert published(retail_shop) == before
    assert f"athena night {NIGHT} --current && athena night {NEXT} --current" in run(
        athena, retail_shop, "run", "--source", "online_retail_ii"
    )

    commands = next_commands(said)
    assert commands == [["night", NIGHT, "--current"], ["night", NEXT, "--current"]]
    for command in commands:
        run(athena, retail_shop, *command)
    assert published(retail_shop) == published(clean_shop)
    assert clean_rows(retail_shop) == clean_rows(clean_shop)


def test_night_when_an_earlier_delivery_was_withdrawn_then_it_waits_for_the_corrected_one(
    athena: Command, retail_shop: Shop, clean_shop: Shop
) -> None:
    path = retail_shop.night_file(NIGHT)
    good = spoil(path, a_little_dearer)
    for night in (NIGHT, NEXT):
        run(athena, retail_shop, "load", "--night", night, retail_shop.night_file(night))
    run(athena, retail_shop, "night", NIGHT)
    wrong, before = id_of(retail_shop, NIGHT), published(retail_shop)
    line = f"athena load --night {NIGHT} FILES && athena night {NIGHT} --current"
    assert f"next: {line}\n" in run(athena, retail_shop, "withdraw", wrong)
    for look in ("doctor", "why"):
        told = athena(retail_shop.home, look)
        assert told.code == 1
        assert "no longer count" in told.out
        assert wrong in told.out
    assert f"next       {line}\n" in told.out
    assert "withdrawn at" in run(athena, retail_shop, "deliveries")
    said = refused(athena, retail_shop, "night", NEXT)
    assert f"landed from what was withdrawn: {NIGHT}" in said
    assert f"athena load --night {NIGHT} FILES" in said
    assert published(retail_shop) == before
    path.write_text(good)
    load, night = (shlex.split(command)[1:] for command in line.replace("FILES", shlex.quote(str(path))).split(" && "))
    assert next_commands(run(athena, retail_shop, *load)) == [night]
    run(athena, retail_shop, *night)
    assert "no longer count" not in athena(retail_shop.home, "doctor").out
    run(athena, retail_shop, "night", NEXT)
    assert run(athena, retail_shop, "why") == "nothing is wrong\n"
    assert published(retail_shop) == published(clean_shop)
    assert clean_rows(retail_shop) == clean_rows(clean_shop)


def test_run_when_a_stopped_history_was_replaced_then_the_evening_is_as_if_the_good_one_had_come_first(
    athena: Command, retail_files: Shop, retail_evening: Shop, tmp_path: Path
) -> None:
    """The wrong file ends three days early, so the first night must follow from the corrected one too."""
    shop = retail_files.copied_to(tmp_path / "history")
    good = shop.orders.read_text()
    spoil(shop.orders, without_customers)
    header, *lines = shop.orders.read_text().splitlines(keepends=True)
    shop.orders.write_text("".join([header, *(line for line in lines if not line.split(",")[4][:10] >= "2011-10-26")]))
    assert "was stopped by" in refused(athena, shop, "run", "--source", "online_retail_ii", "--orders", shop.orders)
    (wrong,) = [each.delivery_id for each in Landing.of(shop.home).deliveries()]
    shop.orders.write_text(good)
    said = run(athena, shop, "load", "--replaces", wrong, shop.orders)
    for command in next_commands(said):
        run(athena, shop, *command)
    assert published(shop) == published(retail_evening)
    tables = ["raw.order_lines_history", *(f"orders.all_{table}" for table in CLEAN)]
    for table in tables:
        sql = f"SELECT * FROM {table} ORDER BY ALL"
        assert shop.rows(sql) == retail_evening.rows(sql)


def test_night_of_the_simulator_when_its_delivery_was_replaced_then_the_bytes_are_those_of_the_good_one(
    athena: Command, simulated_shop: Shop, tmp_path: Path
) -> None:
    from athena_assets.sources.simulator.parameters import SimulatorParameters
    from athena_assets.sources.simulator.retailer import simulate
    from tests.conftest import CUSTOMERS

    parameters = SimulatorParameters(customers=CUSTOMERS, nights=2)
    simulated = simulate(parameters, tmp_path / "delivered", tmp_path / "truth")
    night = Night(parameters.first_night + timedelta(days=1))
    good = next(each.folder for each in simulated.deliveries if each.last_day == night.day)
    # Another retailer's night of the same day: customers of the same names, who did something else.
    other = simulate(replace(parameters, seed=1), tmp_path / "other", tmp_path / "other-truth")
    bad = next(each.folder for each in other.deliveries if each.last_day == night.day)

    clean = simulated_shop.copied_to(tmp_path / "clean")
    run(athena, clean, "load", "--night", night.key, good)
    run(athena, clean, "night", night.key)

    run(athena, simulated_shop, "load", "--night", night.key, bad)
    run(athena, simulated_shop, "night", night.key)
    assert published(simulated_shop) != published(clean)
    said = run(athena, simulated_shop, "load", "--replaces", id_of(simulated_shop, night.key), good)
    for command in next_commands(said):
        run(athena, simulated_shop, *command)
    assert published(simulated_shop) == published(clean)
    tables = [*CLEAN, "service_contacts", "campaign_contacts"]
    for table in tables:
        sql = f"SELECT * FROM orders.{table} ORDER BY ALL"
        assert simulated_shop.rows(sql) == clean.rows(sql)
