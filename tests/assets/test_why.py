"""`athena why`: the rule, the rows, the delivery, the readers, and a command that mends it as it stands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from athena_cli.why import look
from athena_cli.workplace import Workplace
from checks import contract_files
from resources.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Answer, Command, Shop

NIGHT = "2011-10-29"
CUSTOMERS, LINES, ORDERS = "features.customer_features", "orders.order_lines", "orders.orders"


def typed(athena: Command, shop: Shop, line: str) -> list[Answer]:
    """What a shell would do with `athena ... && athena ...`."""
    answers = []
    for command in line.split(" && "):
        program, *arguments = shlex.split(command)
        assert program == "athena"
        answers.append(athena(shop.home, *arguments))
    return answers


@pytest.fixture
def nobody_named(athena: Command, retail_shop: Shop) -> Shop:
    """A shop whose night was delivered without customers, and stopped."""
    path = retail_shop.night_file(NIGHT)
    good = path.read_text()
    header, *lines = good.splitlines()
    spoiled = [",".join([*line.split(",")[:6], "", line.split(",")[7]]) for line in lines]
    path.write_text("\n".join([header, *spoiled]) + "\n")
    assert athena(retail_shop.home, "load", "--night", NIGHT, path).code == 0
    assert athena(retail_shop.home, "night", NIGHT).code == 1
    path.write_text(good)
    return retail_shop


def test_why_when_a_night_was_stopped_then_one_screen_tells_everything_and_its_command_mends_it(
    athena: Command, nobody_named: Shop
) -> None:
    shop = nobody_named
    answer = athena(shop.home, "why")
    assert answer.code == 1
    for words in (
        f"orders.order_lines {NIGHT} is refused",
        "customer_id.null_limit: customer_id is null (100.0000%, limit",
        "rows that offend customer_id.null_limit:",
        "NULL",
        f"{NIGHT}.csv",
        "churn: night 2011-10-28 stays up",
        "churn (retention-analytics",
        "docs/runbooks/completeness.md",
        f"athena load --night {NIGHT} --replaces online_retail_ii-",
        f"athena override grant orders.order_lines {NIGHT}",
    ):
        assert words in answer.out
    told = json.loads(athena(shop.home, "why", "--json").out)
    assert len(told["offending"][0]["rows"]) == 5
    for each in typed(athena, shop, told["next"]):
        assert each.code == 0, each.err
    clean = athena(shop.home, "why")
    assert (clean.code, clean.out) == (0, "nothing is wrong\n")
    assert [str(night) for (night,) in shop.rows("SELECT DISTINCT night FROM predictions.churn ORDER BY 1")] == [
        "2011-10-28",
        NIGHT,
    ]


def test_why_when_asked_about_what_waits_then_it_names_what_it_waits_for(athena: Command, nobody_named: Shop) -> None:
    answer = athena(nobody_named.home, "why", "predictions.churn", NIGHT)
    assert answer.code == 1
    assert f"predictions.churn {NIGHT} waits for orders." in answer.out
    assert "customer_id.null_limit" in answer.out


def test_why_when_the_table_is_none_then_it_names_those_there_are(athena: Command, retail_shop: Shop) -> None:
    answer = athena(retail_shop.home, "why", "orders.sales")
    assert answer.code == 1
    assert "there is no table orders.sales" in answer.err
    assert "orders.order_lines" in answer.err


def test_alert_and_check_when_a_night_was_stopped_then_they_say_what_why_says(
    athena: Command, nobody_named: Shop
) -> None:
    (alert,) = json.loads(athena(nobody_named.home, "alerts", "--json").out)
    told = json.loads(athena(nobody_named.home, "why", "--json").out)
    assert alert["next"] == told["next"]
    sent = (nobody_named.home / "monitoring" / "alerts.log").read_text()
    screen = athena(nobody_named.home, "why").out
    for line in screen.splitlines():
        if "stays up" not in line:
            assert line.rstrip() in sent


def test_why_when_all_is_well_and_no_night_is_named_then_nothing_is_wrong_with_any_table(retail_shop: Shop) -> None:
    place = Workplace(Settings(home=retail_shop.home))
    specs = place.athena.definitions.resolve_all_asset_specs()
    tables = [".".join(spec.key.path) for spec in specs]
    assert {"raw.order_lines", CUSTOMERS, "churn.training_set", "predictions.churn"} <= set(tables)
    assert {table: found.screen() for table in tables if (found := look(place, table, None))} == {}


def test_why_when_a_night_was_stopped_and_none_is_named_then_each_table_says_what_it_waits_for(
    nobody_named: Shop,
) -> None:
    place = Workplace(Settings(home=nobody_named.home))
    found = {
        table: look(place, table, None)
        for table in ("raw.order_lines", ORDERS, "ops.night_pins", CUSTOMERS, "predictions.churn", "churn.registered")
    }
    said = {table: (why.asked, why.where) if why else None for table, why in found.items()}
    waiting = {table: (f"{table} {NIGHT}", f"{LINES} {NIGHT}") for table in ("ops.night_pins", CUSTOMERS)}
    assert said == {
        **waiting,
        "raw.order_lines": None,
        ORDERS: ("", f"{ORDERS} {NIGHT}"),
        "predictions.churn": (f"predictions.churn {NIGHT}", f"{LINES} {NIGHT}"),
        "churn.registered": None,
    }


@pytest.mark.parametrize("state", ["missing", "outdated", "overtaken"])
def test_why_when_no_check_has_refused_what_is_waited_for_then_no_override_is_offered_or_believed(
    state: str, athena: Command, retail_shop: Shop
) -> None:
    home, night = retail_shop.home, "2011-10-28"
    grant = ("override", "grant", ORDERS, night, "--by", "Ada", "--reason", "the shop confirmed the sums")
    assert athena(home, *grant).code == 0
    with duckdb.connect(str(home / "warehouse.duckdb")) as connection:
        connection.execute(
            {
                "missing": "DELETE FROM gate.verdict WHERE asset = $table AND check_name = 'completeness'",
                "outdated": "UPDATE gate.verdict SET rules_hash = 'of yesterday' WHERE asset = $table",
                "overtaken": "UPDATE gate.materialisation SET id = -id, run_id = 'another' WHERE asset = $table",
            }[state],
            {"table": ORDERS},
        )
    answer = athena(home, "why", "predictions.churn", night)
    assert answer.code == 1
    assert f"predictions.churn {night} waits for {ORDERS} {night}" in answer.out
    assert f"{ORDERS} {night} is refused" in answer.out
    assert "athena override grant" not in answer.out
    assert "overridden by" not in answer.out
    assert "docs/runbooks/gate-refused.md" in answer.out


def test_why_when_the_night_is_typed_in_another_way_then_it_says_how(athena: Command, retail_shop: Shop) -> None:
    answer = athena(retail_shop.home, "why", "predictions.churn", "20111029")
    assert answer.code == 1
    assert "written YYYY-MM-DD" in answer.err


KILLED = """
import os, signal
from athena_cli.changing import NIGHT
from athena_cli.telling import telling
telling(NIGHT, lambda **_: os.kill(os.getpid(), signal.SIGKILL))(day=os.environ["KILLED_NIGHT"])
"""


def test_why_when_a_night_was_killed_then_it_is_the_first_to_see_it(
    athena: Command, retail_shop: Shop, repository: Path
) -> None:
    env = {**os.environ, "ATHENA_HOME": str(retail_shop.home), "KILLED_NIGHT": NIGHT}
    assert subprocess.run([sys.executable, "-c", KILLED], cwd=repository, env=env, check=False).returncode == -9
    answer = athena(retail_shop.home, "why")
    assert answer.code == 1
    assert f"athena night {NIGHT} was killed" in answer.out


@pytest.fixture
def tightened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """From now on the contract of orders allows no order above one pound."""
    folder = shutil.copytree(contract_files.CONTRACTS, tmp_path / "contracts")
    path = folder / "orders.orders.odcs.yaml"
    text = path.read_text()
    assert text.count("maximum: 1000000\n") == 1
    path.write_text(text.replace("maximum: 1000000\n", "maximum: 1\n"))
    monkeypatch.setattr(contract_files, "CONTRACTS", folder)
    contract_files.load_contract.cache_clear()
    yield
    contract_files.load_contract.cache_clear()


def test_why_when_the_contract_was_tightened_then_it_names_the_change_and_not_the_supplier(
    athena: Command, retail_shop: Shop, tightened: None
) -> None:
    checked = athena(retail_shop.home, "check", "--outdated")
    assert checked.code == 1, checked.out
    told = json.loads(athena(retail_shop.home, "why", "--json").out)
    assert (told["rules_changed"], told["delivery"]) == (True, None)
    assert told["asset"] in (ORDERS, f"{ORDERS}_history")
    assert told["next"] == "athena contracts diff"
    screen = athena(retail_shop.home, "why").out
    assert f"the rules of {ORDERS} changed since these rows passed" in screen
    assert f"athena override grant {ORDERS}" in screen
    assert "--replaces" not in screen
    alerts = json.loads(athena(retail_shop.home, "alerts", "--json").out)
    assert {each["next"] for each in alerts if each["severity"] == "ERROR"} == {told["next"]}


def test_why_when_rows_are_refused_by_the_rules_that_they_once_passed_then_the_rows_are_at_fault(
    athena: Command, retail_shop: Shop
) -> None:
    with duckdb.connect(str(retail_shop.home / "warehouse.duckdb")) as connection:
        connection.execute("UPDATE orders.orders SET total_order_amount = 2000000 WHERE night = '2011-10-28'")
    assert athena(retail_shop.home, "check", ORDERS, "2011-10-28").code == 1
    told = json.loads(athena(retail_shop.home, "why", ORDERS, "2011-10-28", "--json").out)
    assert not told["rules_changed"]
    assert "--replaces" in told["next"]
