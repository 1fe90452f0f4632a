"""`athena contracts`: a renamed column is refused, accepted by a person, and then the same file loads."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

NIGHT = "2011-10-29"


def test_night_when_a_rename_was_accepted_then_the_refused_file_loads_and_publishes_what_it_would_have(
    athena: Command, retail_shop: Shop
) -> None:
    path = retail_shop.night_file(NIGHT)
    delivered = path.read_text()
    path.write_text(delivered.replace("Customer ID", "ID of customer", 1))
    before = retail_shop.files()
    refused = athena(retail_shop.home, "load", "--night", NIGHT, path)
    assert refused.code == 1
    assert "Customer ID is missing; ID of customer looks like it (name, type, distribution: TV 0." in refused.err
    assert "affects:  models: churn (retention-analytics, data-science)" in refused.err
    assert "affects:  published: predictions.churn (read by retention team)" in refused.err
    assert retail_shop.files() == before

    (mending,) = [line for line in refused.err.splitlines() if line.startswith("  next:")]
    commands = [shlex.split(command) for command in mending.removeprefix("  next:").split(" && ")]
    words = ("raw.order_lines", "ID of customer=Customer ID", "--by", "NAME", "--reason", "TEXT")
    assert commands == [
        ["athena", "contracts", "accept-alias", *words],
        ["athena", "load", "--night", NIGHT, str(path)],
        ["athena", "night", NIGHT],
    ]
    filled_in = {"NAME": "Ada Lovelace", "TEXT": "tills renamed it"}
    for _, *arguments in commands:
        answer = athena(retail_shop.home, *(filled_in.get(word, word) for word in arguments))
        assert answer.code == 0, answer.err
    kept = retail_shop.rows(f"SELECT count(*), count(customer_id) FROM raw.order_lines WHERE night = '{NIGHT}'")
    lines = delivered.splitlines()
    column = lines[0].split(",").index("Customer ID")
    assert kept == [(len(lines) - 1, sum(bool(line.split(",")[column]) for line in lines[1:]))]

    history = json.loads(athena(retail_shop.home, "contracts", "aliases", "--json").out)
    assert [(each["by"], each["reason"], each["version"]) for each in history] == [
        ("Ada Lovelace", "tills renamed it", "1.1.0")
    ]
    assert "Ada Lovelace" in athena(retail_shop.home, "contracts", "aliases").out
    listed = {each["table"]: each for each in json.loads(athena(retail_shop.home, "contracts", "--json").out)}
    assert (listed["raw.order_lines"]["version"], listed["raw.orders"]["version"]) == ("1.1.0", "1.0.0")
    again = athena(retail_shop.home, *commands[0][1:])
    assert (again.code, "already a declared name" in again.err) == (1, True)
