"""`athena contracts`: a renamed column is refused, accepted by a person, and then the same file loads."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from athena_cli.contracts import app
from checks.compiler import checks_of
from checks.contract_files import contract_names, load_contract

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Command, Shop

NIGHT = "2011-10-29"
COMMANDS = ("accept-alias", "aliases", "diff", "pages")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_when_asked_for_then_every_argument_is_explained(command: str, athena: Command, tmp_path: Path) -> None:
    answer = athena(tmp_path / "home", "contracts", command, "--help")
    assert (answer.code, answer.err) == (0, "")
    assert f"Usage: athena contracts {command}" in answer.out
    assert not (tmp_path / "home").exists()
    declared = get_command(app).commands
    assert set(declared) == set(COMMANDS)
    assert declared[command].help
    assert [each.name for each in declared[command].params if not getattr(each, "help", None)] == []


def test_contracts_when_listed_then_their_rules_are_counted_by_severity(athena: Command, tmp_path: Path) -> None:
    listed = {each["table"]: each for each in json.loads(athena(tmp_path / "home", "contracts", "--json").out)}
    assert set(listed) == set(contract_names())
    for name, each in listed.items():
        severities = [rule.severity for check in checks_of(load_contract(name)) for rule in check.rules]
        counted = (each["blocking rules"], each["warning rules"])
        assert counted == (severities.count("ERROR"), severities.count("WARN"))
    told = athena(tmp_path / "home", "contracts").out
    assert "features.customer_features" in told
    assert not (tmp_path / "home").exists()


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

    shipped = {table: load_contract(table).version for table in ("raw.order_lines", "raw.orders")}
    major, minor, patch = shipped["raw.order_lines"].split(".")
    raised = f"{major}.{int(minor) + 1}.{patch}"
    history = json.loads(athena(retail_shop.home, "contracts", "aliases", "--json").out)
    assert [(each["by"], each["reason"], each["version"]) for each in history] == [
        ("Ada Lovelace", "tills renamed it", raised)
    ]
    assert "Ada Lovelace" in athena(retail_shop.home, "contracts", "aliases").out
    listed = {each["table"]: each for each in json.loads(athena(retail_shop.home, "contracts", "--json").out)}
    assert (listed["raw.order_lines"]["version"], listed["raw.orders"]["version"]) == (raised, shipped["raw.orders"])
    again = athena(retail_shop.home, *commands[0][1:])
    assert (again.code, "already a declared name" in again.err) == (1, True)


def test_alias_when_its_words_look_like_markup_then_they_are_listed_as_they_are_and_a_line_of_its_own_is_refused(
    athena: Command, retail_shop: Shop
) -> None:
    accept = ("contracts", "accept-alias", "raw.order_lines", "Qty [/]=Quantity", "--reason", "[bold]till[/bold] [/]")
    refused = athena(retail_shop.home, *accept, "--by", "Ada\nnext: rm -rf /")
    assert (refused.code, "--by holds" in refused.err) == (1, True)
    assert "no alias has been accepted" in athena(retail_shop.home, "contracts", "aliases").out
    accepted = athena(retail_shop.home, *accept, "--by", "[Ada]")
    assert accepted.code == 0, accepted.err
    listed = athena(retail_shop.home, "contracts", "aliases")
    assert listed.code == 0
    shown = "".join(listed.out.split())
    assert all(words in shown for words in ("[Ada]", "[bold]till[/bold][/]", "Qty[/]"))


def test_load_when_a_header_would_act_on_the_terminal_then_the_refusal_says_its_escapes_and_its_command_works(
    athena: Command, retail_shop: Shop
) -> None:
    path, renamed = retail_shop.night_file(NIGHT), "Customer\n  next: rm -rf /\x1b[2J ID"
    path.write_text(path.read_text().replace("Customer ID", f'"{renamed}"', 1))
    refused = athena(retail_shop.home, "load", "--night", NIGHT, path)
    assert refused.code == 1
    assert "\x1b" not in refused.err
    (mending,) = [line for line in refused.err.splitlines() if line.startswith("  next:")]
    assert "accept-alias raw.order_lines $'Customer\\n" in mending
    accept = ("contracts", "accept-alias", "raw.order_lines", f"{renamed}=Customer ID", "--by", "Ada", "--reason", "so")
    accepted = athena(retail_shop.home, *accept)
    assert (accepted.code, "\x1b" in accepted.out) == (0, False)
    assert athena(retail_shop.home, "load", "--night", NIGHT, path).code == 0
    assert "\x1b" not in athena(retail_shop.home, "contracts", "aliases").out
    assert "\x1b" not in (retail_shop.home / "monitoring" / "alerts.log").read_text()
