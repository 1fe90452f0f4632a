"""A home whose tables were written before the gate: whoever looks is told, and the printed command makes them anew."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import duckdb
import pytest

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

NIGHT = "2011-10-28"
SAYS = "tables were written before the gate"


def forget(shop: Shop, condition: str) -> None:
    with duckdb.connect(str(shop.home / "warehouse.duckdb")) as connection:
        connection.execute(f"DELETE FROM gate.materialisation WHERE {condition}")
        connection.execute(f"DELETE FROM gate.verdict WHERE {condition}")


def without_gate(shop: Shop) -> None:
    with duckdb.connect(str(shop.home / "warehouse.duckdb")) as connection:
        connection.execute("DROP SCHEMA gate CASCADE")
        connection.execute("DROP TABLE monitoring.check_history")


def said_by_all(athena: Command, shop: Shop, table: str) -> set[str]:
    """The one command that everybody prints."""
    doctor = athena(shop.home, "doctor", "--json")
    (gate,) = [each for each in json.loads(doctor.out) if each["what"] == "gate"]
    why = athena(shop.home, "why")
    outdated, check = athena(shop.home, "check", "--outdated"), athena(shop.home, "check", table)
    said = [gate["found"], why.out, outdated.err, check.err]
    assert [SAYS in each for each in said] == [True] * 4
    assert (doctor.code, gate["well"], why.code, outdated.code, check.code) == (1, False, 1, 1, 1)
    lines = [line.strip() for each in said for line in each.splitlines()]
    return {line.partition("next:")[2].strip() for line in lines if line.startswith("next:")}


@pytest.mark.parametrize("shop_of", ["retail_shop", "simulated_shop"])
def test_home_when_it_is_from_before_the_gate_then_all_say_so_and_the_printed_command_makes_it_anew(
    shop_of: str, athena: Command, request: pytest.FixtureRequest
) -> None:
    shop: Shop = request.getfixturevalue(shop_of)
    counted = "SELECT night, count(*) FROM predictions.churn GROUP BY night ORDER BY night"
    before = shop.rows(counted)
    without_gate(shop)
    (command,) = said_by_all(athena, shop, "orders.accounting")
    program, *arguments = shlex.split(command)
    assert program == "athena"
    answer = athena(shop.home, *arguments)
    assert answer.code == 0, answer.err
    assert shop.rows(counted) == before
    for look in ("doctor", "why"):
        assert athena(shop.home, look).code == 0
    assert "up to date" in athena(shop.home, "check", "--outdated").out
    assert "nothing to do" in athena(shop.home, "run", "--source", "online_retail_ii").out or shop_of != "retail_shop"


def test_home_when_one_table_of_one_night_is_from_before_the_gate_then_it_is_named(
    athena: Command, retail_shop: Shop
) -> None:
    forget(retail_shop, f"asset = 'orders.accounting' AND partition = '{NIGHT}'")
    said_by_all(athena, retail_shop, "orders.accounting")
    why = athena(retail_shop.home, "why", "predictions.churn", NIGHT)
    assert f"found:    orders.accounting {NIGHT}" in why.out
