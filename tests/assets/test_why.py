"""`athena why`: the rule, the rows, the delivery, the readers, and a command that mends it as it stands."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import Answer, Command, Shop

NIGHT = "2011-10-29"


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
