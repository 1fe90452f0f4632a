"""What every command promises: help, JSON that a program can read, errors on standard error, exit codes 0, 1 and 2."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.main import get_command

from athena_cli.main import app

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

COMMANDS = (
    "run", "simulate", "load", "deliveries", "withdraw", "night",
    "train", "backtest", "models", "features", "contracts", "alerts", "check", "override", "why",
    "plan", "replay", "doctor", "ui",
)  # fmt: skip
NIGHT = "2011-10-28"
WRONG = {
    "no_command": ((), "Usage: athena"),
    "unknown_command": (("nigth",), "No such command 'nigth'"),
    "unknown_option": (("night", "--curent", NIGHT), "No such option: --curent"),
    "missing_argument": (("night",), "Missing argument"),
    "missing_option": (("backtest",), "Missing option '--as-of'"),
    "missing_value": (("load", "--night"), "requires an argument"),
    "one_too_many": (("night", NIGHT, NIGHT), "unexpected extra argument"),
    "no_number": (("run", "--customers", "many"), "Invalid value for '--customers'"),
    "port_out_of_range": (("ui", "--port", "0"), "Invalid value for '--port'"),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_help_when_asked_for_then_every_argument_is_explained(command: str, athena: Command, tmp_path: Path) -> None:
    answer = athena(tmp_path / "home", command, "--help")
    assert answer.code == 0
    assert answer.err == ""
    assert f"Usage: athena {command}" in answer.out
    assert not (tmp_path / "home").exists()
    declared = get_command(app).commands[command]
    assert declared.help
    assert [parameter.name for parameter in declared.params if not getattr(parameter, "help", None)] == []


def test_commands_when_counted_then_these_tests_know_them_all() -> None:
    assert set(get_command(app).commands) == set(COMMANDS)


@pytest.mark.parametrize("name", WRONG)
def test_command_line_when_it_is_wrong_then_it_exits_with_2_and_touches_nothing(
    name: str, athena: Command, retail_evening: Shop
) -> None:
    arguments, says = WRONG[name]
    before = retail_evening.files()
    answer = athena(retail_evening.home, *arguments)
    assert answer.code == 2
    assert says in answer.out + answer.err
    assert retail_evening.files() == before


def test_models_when_asked_then_they_say_what_is_in_production_and_how_it_was_trained(
    athena: Command, retail_evening: Shop
) -> None:
    (version,) = json.loads(athena(retail_evening.home, "models", "--json").out)["churn"]
    assert (version["version"], version["stage"]) == ("1", "production")
    assert {"auc", "brier", "calibration_error"} <= version["metrics"].keys()
    assert version["manifest"]["data_sha256"]
    said = athena(retail_evening.home, "models", "churn").out
    assert "in production: churn version 1" in said
    for stage in ("unregistered -> development", "development -> staging", "staging -> production"):
        assert stage in said
    for day in version["manifest"]["training_snapshots"][:1]:
        assert day in said


def test_features_when_asked_of_a_customer_then_they_are_those_the_night_computed(
    athena: Command, retail_evening: Shop
) -> None:
    listed = json.loads(athena(retail_evening.home, "features", "--json").out)
    names = [entry["name"] for entry in listed if not entry["unavailable"]]
    assert len(names) >= 30
    ((customer,),) = retail_evening.rows("SELECT max(customer_id) FROM features.customer_features")
    answer = athena(retail_evening.home, "features", "--customer", customer, "--as-of", "2011-10-29", "--json")
    told = json.loads(answer.out)
    ((*values,),) = retail_evening.rows(
        f"SELECT {', '.join(names)} FROM features.customer_features WHERE customer_id = '{customer}'"
    )
    assert {name: told[name] for name in names} == json.loads(
        json.dumps(dict(zip(names, values, strict=True)), default=str)
    )
    shown = athena(retail_evening.home, "features", "--customer", customer)
    assert shown.code == 0
    assert f"{customer} as of 2011-10-29" in shown.out


def test_explain_when_asked_then_the_probability_is_the_published_one_and_the_contributions_add_up_to_it(
    athena: Command, retail_evening: Shop
) -> None:
    ((customer, published, reason),) = retail_evening.rows(
        "SELECT customer_id, churn_probability, reason_1 FROM predictions.churn ORDER BY churn_probability DESC LIMIT 1"
    )
    answer = athena(retail_evening.home, "features", "--customer", customer, "--explain", "--json")
    assert answer.code == 0, answer.err
    told = json.loads(answer.out)
    assert told["probability"] == pytest.approx(published, abs=1e-6)
    assert told["reasons"][0] == reason
    assert told["model_version"] == "1"
    assert len(told["contributions"]) >= 30


def test_doctor_when_all_is_well_then_it_exits_with_0(athena: Command, retail_shop: Shop) -> None:
    answer = athena(retail_shop.home, "doctor", "--json")
    assert answer.code == 0, answer.out
    findings = json.loads(answer.out)
    assert all(finding["well"] for finding in findings)
    assert {"home", "deliveries", "warehouse", "accounts", "models", "published"} <= {each["what"] for each in findings}


def test_night_when_asked_for_json_then_its_figures_are_those_of_the_files(athena: Command, retail_shop: Shop) -> None:
    path = retail_shop.night_file("2011-10-29")
    assert athena(retail_shop.home, "load", "--night", "2011-10-29", path).code == 0
    answer = athena(retail_shop.home, "night", "2011-10-29", "--json")
    assert answer.code == 0, answer.err
    figures = json.loads(answer.out)
    assert figures["rows in"] == figures["rows kept"] == len(path.read_text().splitlines()) - 1
    ((customers,),) = retail_shop.rows("SELECT count(*) FROM predictions.churn WHERE night = '2011-10-29'")
    assert figures["churn predictions"] == customers


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("models", "--json"), 0), (("night", "2011-10-29"), 1), (("night",), 2)],
    ids=["done", "refused", "misspelt"],
)
def test_entry_point_when_run_as_a_process_then_it_answers_as_in_these_tests(
    arguments: tuple[str, ...], code: int, athena: Command, retail_evening: Shop, repository: Path
) -> None:
    """All other tests call the entry point in their own process: this holds the two equal."""
    process = subprocess.run(
        [Path(sys.executable).with_name("athena"), *arguments],
        cwd=repository,
        env={"ATHENA_HOME": str(retail_evening.home), "PATH": "/usr/bin:/bin", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    answer = athena(retail_evening.home, *arguments)
    assert process.returncode == answer.code == code
    assert process.stdout == answer.out
    # An alert is told once: by whichever of the two came first.
    said = [line for line in process.stderr.splitlines() if not line.startswith("ERROR alert ")]
    assert said == [line for line in answer.err.splitlines() if not line.startswith("ERROR alert ")]
