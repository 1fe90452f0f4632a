"""Alerts of real commands on a real home, and of the sensor that the UI's daemon evaluates."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from athena_assets.definitions import build_athena
from checks.contract_files import load_contract
from resources.findings import Finding, Findings
from resources.outbox import outbox_path
from resources.settings import Settings
from tests.conftest import Command, Shop

NIGHT = "2011-10-30"
AT = datetime(2011, 10, 31, 1, tzinfo=UTC)


def messages(home: Path) -> list[dict[str, object]]:
    path = home / "monitoring" / "alerts.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def rename_column(file: Path) -> None:
    header, _, rest = file.read_text().partition("\n")
    file.write_text(header.replace("Quantity", "Qty") + "\n" + rest)


def test_load_when_a_delivery_is_refused_then_one_alert_and_its_end_when_the_right_file_comes(
    athena: Command, retail_shop: Shop
) -> None:
    home, file = retail_shop.home, retail_shop.night_file(NIGHT)
    right = file.read_text()
    rename_column(file)
    for _ in range(2):
        refused = athena(home, "load", "--night", NIGHT, file)
        assert refused.code == 1
    (told,) = messages(home)
    assert (told["key"], told["severity"], told["kind"]) == (f"night {NIGHT}", "ERROR", "renamed-column")
    assert refused.err.count("alert 1") == 0, "told again"
    (root,) = told["roots"]  # type: ignore[misc]
    assert (root["asset"], root["partition"], root["rule"]) == ("raw.order_lines", NIGHT, "ColumnsDiffer")
    assert told["owners"] == [load_contract("raw.order_lines").owner]
    assert "churn" in str(told["affected"]["models"])  # type: ignore[index]
    file.write_text(right)
    accepted = athena(home, "load", "--night", NIGHT, file)
    assert accepted.code == 0, accepted.err
    assert "resolved" in accepted.err
    assert [each["occasion"] for each in messages(home)] == ["opened", "resolved"]
    assert json.loads(athena(home, "alerts", "--json").out) == []
    (over,) = json.loads(athena(home, "alerts", "--all", "--json").out)
    assert over["resolved_at"] is not None


def test_night_when_checks_stop_it_then_one_alert_names_the_cause_and_its_end_is_told_once(
    athena: Command, retail_shop: Shop
) -> None:
    home, file = retail_shop.home, retail_shop.night_file("2011-10-29")
    right = file.read_text()
    header, _, lines = right.partition("\n")
    file.write_text(header + "\n" + re.sub(r"[^,\n]+(,[^,\n]+)$", r"\1", lines, flags=re.MULTILINE))
    loaded = athena(home, "load", "--night", "2011-10-29", file, "--json")
    assert loaded.code == 0, loaded.err
    for _ in range(2):
        assert athena(home, "night", "2011-10-29").code == 1
    (told,) = messages(home)
    assert (told["key"], told["severity"], told["kind"]) == ("night 2011-10-29", "ERROR", "completeness")
    assert "churn" in str(told["affected"]["models"])  # type: ignore[index]
    (alert,) = json.loads(athena(home, "alerts", "--json").out)
    assert alert["id"] == told["id"]
    spare = file.with_name("2011-10-29-again.csv")
    spare.write_text(right)
    delivery = json.loads(loaded.out)["delivery_id"]
    replaced = athena(home, "load", "--night", "2011-10-29", "--replaces", delivery, spare)
    assert replaced.code == 0, replaced.err
    ran = athena(home, "night", "2011-10-29")
    assert ran.code == 0, ran.err
    assert [each["occasion"] for each in messages(home)] == ["opened", "resolved"]
    assert json.loads(athena(home, "alerts", "--json").out) == []


def test_night_when_it_warns_and_is_published_then_the_alert_tells_what_why_tells_and_names_it_as_published(
    athena: Command, retail_shop: Shop
) -> None:
    home, file, night = retail_shop.home, retail_shop.night_file("2011-10-29"), "2011-10-29"
    header, _, lines = file.read_text().partition("\n")
    file.write_text(f"{header}\n{lines}{lines}")
    assert athena(home, "load", "--night", night, file).code == 0
    ran = athena(home, "night", night)
    assert ran.code == 0, ran.err
    why = json.loads(athena(home, "why", "--json").out)
    assert why["next"].endswith(f"athena night {night} --current")
    (told,) = messages(home)
    assert (told["severity"], told["next"]) == ("WARN", why["next"])
    screen = athena(home, "why").out.rstrip()
    assert f"churn: night {night} stays up" in screen
    said = [(home / "monitoring" / "alerts.log").read_text(), athena(home, "alerts").out]
    hours = re.compile(r"\d+ d \d+ h old")
    assert [hours.sub("", screen) in hours.sub("", text) for text in said] == [True, True]


@pytest.mark.parametrize(
    "arguments", [("night", "2031-01-01"), ("night", "yesterday"), ("train", "--month", "1999-01")]
)
def test_command_when_it_was_typed_wrong_then_nobody_is_told(
    athena: Command, retail_shop: Shop, arguments: tuple[str, ...]
) -> None:
    assert athena(retail_shop.home, *arguments).code == 1
    assert Findings(retail_shop.home).since(AT) == messages(retail_shop.home) == []


def test_load_when_it_only_checks_then_nobody_is_told(athena: Command, retail_shop: Shop) -> None:
    rename_column(retail_shop.night_file(NIGHT))
    assert athena(retail_shop.home, "load", "--check", "--night", NIGHT, retail_shop.night_file(NIGHT)).code == 1
    assert Findings(retail_shop.home).since(AT) == messages(retail_shop.home) == []


def test_load_when_there_is_no_home_yet_then_a_refusal_leaves_nothing(
    athena: Command, retail_files: Shop, tmp_path: Path
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("not,the,columns\n1,2,3\n")
    assert athena(tmp_path / "home", "load", "--source", "online_retail_ii", file).code == 1
    assert not (tmp_path / "home").exists()


def test_alerts_when_one_is_taken_and_a_channel_is_down_then_each_command_says_so(
    athena: Command, retail_shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = retail_shop.home
    monkeypatch.setenv("ATHENA_ALERT_URLS", "json://robot:kept-under-the-hat@127.0.0.1:9/token-of-mine")
    rename_column(retail_shop.night_file(NIGHT))
    assert athena(home, "load", "--night", NIGHT, retail_shop.night_file(NIGHT)).code == 1
    shown = athena(home, "alerts")
    assert "ERROR alert 1" in shown.out
    assert "runbook: docs/runbooks/renamed-column.md" in shown.out
    assert "json 1 (attempts: 1)" in shown.err
    doctor = athena(home, "doctor", "--json")
    (found,) = [each for each in json.loads(doctor.out) if each["what"] == "alerts"]
    assert (doctor.code, found["well"]) == (1, False)
    again = athena(home, "alerts", "send")
    assert (again.code, again.out) == (1, "0 messages sent, 1 failed\n")
    assert athena(home, "alerts", "ack", "1", "--by", "Ada").out == f"alert 1 (night {NIGHT}) is taken by Ada\n"
    assert "taken by: Ada" in athena(home, "alerts").out
    monkeypatch.delenv("ATHENA_ALERT_URLS")
    assert athena(home, "alerts", "send").code == 0
    given_up = athena(home, "doctor", "--json")
    (found,) = [each for each in json.loads(given_up.out) if each["what"] == "alerts"]
    assert found["well"], "a channel that is no more cannot be mended"
    assert "json 1" not in athena(home, "alerts").err
    for answer in (shown, doctor, again):
        assert "under-the-hat" not in answer.out + answer.err
    assert b"under-the-hat" not in outbox_path(home).read_bytes()


def found(asset: str, *, severity: str = "ERROR") -> Finding:
    return Finding("check", severity, asset, NIGHT, "ranges", "x.minimum", f"{asset} is below 0: 3 rows, limit 0")  # type: ignore[arg-type]


def test_sensor_when_evaluated_then_it_sends_one_alert_with_the_graph_in_view_and_once(tmp_path: Path) -> None:
    athena = build_athena(Settings(home=tmp_path))  # type: ignore[call-arg]
    repository = athena.definitions.get_repository_def()
    sensor = repository.get_sensor_def("alerts")
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    with dg.build_sensor_context(repository_def=repository) as context:
        said = sensor.evaluate_tick(context).skip_message
        assert said == "nothing has ever been wrong in this home"
        Findings(tmp_path).observe([found("predictions.churn"), found("orders.order_lines")], looked_at=[], at=AT)
        assert sensor.evaluate_tick(context).skip_message == "2 messages sent"
        assert sensor.evaluate_tick(context).skip_message == "0 messages sent"
    (told,) = messages(tmp_path)
    assert [root["asset"] for root in told["roots"]] == ["orders.order_lines"]  # type: ignore[attr-defined]
    assert [each["asset"] for each in told["consequences"]] == ["predictions.churn"]  # type: ignore[attr-defined]


def test_sensor_when_the_warehouse_is_held_by_another_then_it_still_sends(tmp_path: Path) -> None:
    import duckdb

    athena = build_athena(Settings(home=tmp_path))  # type: ignore[call-arg]
    repository = athena.definitions.get_repository_def()
    Findings(tmp_path).observe([found("orders.order_lines")], looked_at=[], at=AT)
    with (
        duckdb.connect(str(athena.settings.warehouse_path)),
        dg.build_sensor_context(repository_def=repository) as context,
    ):
        assert repository.get_sensor_def("alerts").evaluate_tick(context).skip_message == "2 messages sent"


def test_sensor_when_the_outbox_is_damaged_then_it_says_so_and_does_not_fail(tmp_path: Path) -> None:
    outbox_path(tmp_path).parent.mkdir(parents=True)
    outbox_path(tmp_path).write_text("no database " * 100)
    repository = build_athena(Settings(home=tmp_path)).definitions.get_repository_def()  # type: ignore[call-arg]
    with dg.build_sensor_context(repository_def=repository) as context:
        said = repository.get_sensor_def("alerts").evaluate_tick(context).skip_message
    assert said is not None
    assert said.startswith("not told: ")
