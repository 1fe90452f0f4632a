"""`athena plan` says beforehand what a run then does, and writes nothing."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pytest
import yaml

from checks.contract_files import CONTRACTS
from tests.assets.test_evening_again import NIGHT, promote_another

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

NEXT, AFTER = "2011-10-29", "2011-10-30"
TIERS = ("high", "medium", "low")


def every_file(shop: Shop) -> dict[str, str]:
    """SHA-256 of every file of the home, records and caches too.

    Dagster's databases alone are left out: a command that a test ran before in this process may still hold them open.
    """
    found = [path for path in sorted(shop.home.rglob("*")) if path.is_file()]
    named = {str(path.relative_to(shop.home)): path for path in found}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for name, path in named.items()
        if not name.startswith("dagster/storage/")
    }


def planned(athena: Command, shop: Shop, *arguments: object, code: int) -> dict[str, Any]:
    """The plan as a program reads it; the home must be byte for byte what it was, and a person must be told, too."""
    before = every_file(shop)
    for options in ((), ("--json",)):
        answer = athena(shop.home, "plan", *arguments, *options)
        assert answer.code == code, answer.err + answer.out
    assert every_file(shop) == before
    found: dict[str, Any] = json.loads(answer.out)
    assert found["goes_through"] is (code == 0)
    return found


def published(shop: Shop) -> dict[str, tuple[float, str]]:
    """Customer -> published probability and tier of the night."""
    file = shop.published / f"night={NIGHT}" / "part-0.parquet"
    rows = duckdb.execute(f"SELECT customer_id, churn_probability, risk_tier FROM '{file}'").fetchall()
    return {customer: (probability, tier) for customer, probability, tier in rows}


@pytest.fixture(scope="module")
def resting(retail_evening: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A copy in which nothing happens: MLflow writes what a copy registers into the home that was copied."""
    return retail_evening.copied_to(tmp_path_factory.mktemp("resting"))


@pytest.fixture(scope="module")
def promoted(retail_evening: Shop, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    """A home in which another champion was promoted since its night was published. Not to be written to."""
    folder = tmp_path_factory.mktemp("promoted")
    shop = retail_evening.copied_to(folder / "shop")
    promote_another(shop, folder / "another")
    return shop


def test_plan_nights_when_another_champion_was_promoted_then_its_difference_is_what_night_current_changes(
    athena: Command, promoted: Shop, tmp_path: Path
) -> None:
    shop = promoted.copied_to(tmp_path / "shop")
    plan = planned(athena, shop, "nights", NIGHT, "--current", code=0)
    (night,) = plan["nights"]
    (said,) = night["differences"]

    before = published(shop)
    answer = athena(shop.home, "night", NIGHT, "--current")
    assert answer.code == 0, answer.err
    after = published(shop)

    assert before.keys() == after.keys()
    assert (said["only_published"], said["only_planned"]) == ([], [])
    assert (said["published_version"], said["planned_version"], said["customers"]) == ("1", "2", len(before))
    moved = Counter((before[name][1], after[name][1]) for name in before)
    assert said["tiers"] == {old: {new: moved[old, new] for new in TIERS} for old in TIERS}
    assert any(old != new for old, new in moved), "a test in which nobody moves would prove nothing"
    changes = {name: after[name][0] - before[name][0] for name in before}
    assert said["mean_change"] == pytest.approx(sum(changes.values()) / len(changes), abs=1e-6)
    assert said["mean_absolute_change"] == pytest.approx(sum(map(abs, changes.values())) / len(changes), abs=1e-6)
    assert said["largest_absolute_change"] == pytest.approx(max(map(abs, changes.values())), abs=1e-9)
    movers = sorted(changes, key=lambda name: (-abs(round(changes[name], 6)), name))[:10]
    assert [
        (each["customer_id"], each["published"], each["planned"], each["published_tier"], each["planned_tier"])
        for each in said["movers"]
    ] == [(name, before[name][0], after[name][0], before[name][1], after[name][1]) for name in movers]
    rates = [sum(probability >= 0.5 for probability, _ in each.values()) / len(each) for each in (before, after)]
    assert (said["positive_rate_published"], said["positive_rate_planned"]) == pytest.approx(tuple(rates), abs=1e-6)


def test_plan_nights_when_nothing_came_since_then_the_pins_give_the_same_bytes_and_every_partition_is_named(
    athena: Command, promoted: Shop
) -> None:
    plan = planned(athena, promoted, "nights", NIGHT, code=0)
    written = promoted.rows(f"SELECT asset FROM gate.materialisation WHERE partition = '{NIGHT}' ORDER BY asset")
    (night,) = plan["nights"]
    assert sorted(plan["assets"]) == sorted(night["exists"]) == [asset for (asset,) in written]
    assert plan["partitions"] == len(written)
    assert sorted(plan["also"]) == ["cost.charge", "cost.tco", "cost.usage", "published.tco"]
    assert (night["published"], night["outcome"], night["differences"]) == (True, "the pins give the same bytes", [])
    assert (plan["later"], plan["stale"], plan["refusals"]) == ([], [], [])
    assert plan["minutes"]["measured"] == 1
    assert plan["minutes"]["each_seconds"] > 0


def late_order(shop: Shop, athena: Command) -> None:
    """Another delivery of the published night."""
    late = shop.folder / "late.csv"
    header, line = shop.night_file(NEXT).read_text().splitlines()[:2]
    late.write_text(f"{header}\n{line.replace(NEXT, NIGHT)}\n")
    assert athena(shop.home, "load", "--night", NIGHT, late).code == 0


def other_rules(shop: Shop, _athena: Command) -> None:
    """The history was judged by rules that are not today's."""
    with duckdb.connect(str(shop.home / "warehouse.duckdb")) as connection:
        connection.execute("UPDATE gate.verdict SET rules_hash = 'old' WHERE asset = 'orders.orders_history'")


def changed_file(shop: Shop, _athena: Command) -> None:
    """The delivered file was written over."""
    shop.orders.write_text(shop.orders.read_text() + "\n")


def tampered_champion(shop: Shop, _athena: Command) -> None:
    """A file of the champion is not what was registered."""
    file = next((shop.home / "registry" / "models" / "churn").rglob("calibration.json"))
    file.chmod(0o644)
    file.write_text(file.read_text() + " ")


@pytest.mark.parametrize(
    ("breaks", "error"),
    [
        (late_order, "PinMismatch"),
        (other_rules, "UpstreamUnverified"),
        (changed_file, "DeliveryChanged"),
        (tampered_champion, "ArtifactTampered"),
    ],
)
def test_plan_nights_when_something_will_refuse_then_it_is_named_as_the_night_names_it(
    breaks: Any, error: str, athena: Command, retail_shop: Shop
) -> None:
    breaks(retail_shop, athena)
    plan = planned(athena, retail_shop, "nights", NIGHT, code=1)
    refusal = next(each for each in plan["refusals"] if each["error"] == error)
    answer = athena(retail_shop.home, "night", NIGHT)
    assert answer.code == 1
    assert refusal["found"].splitlines()[0] in answer.err
    assert refusal["next_command"] in answer.err


def test_plan_nights_when_nights_are_missing_then_each_cause_is_named_and_later_ones_are_told_when_stale(
    athena: Command, retail_shop: Shop
) -> None:
    shop = retail_shop
    missing = planned(athena, shop, "nights", NIGHT, AFTER, code=1)
    assert [(each["where"], each["next_command"]) for each in missing["refusals"]] == [
        (NEXT, f"athena load --night {NEXT} FILES"),
        (AFTER, f"athena load --night {AFTER} FILES"),
    ]
    assert athena(shop.home, "load", "--night", NEXT, shop.night_file(NEXT)).code == 0
    ahead = planned(athena, shop, "nights", NEXT, code=0)
    assert [each["outcome"] for each in ahead["nights"]] == ["would be published for the first time"]
    assert ahead["nights"][0]["exists"] == []
    assert athena(shop.home, "load", "--night", AFTER, shop.night_file(AFTER)).code == 0
    gap = planned(athena, shop, "nights", AFTER, code=1)
    assert gap["refusals"][0]["error"] == "NightsMissing"
    assert gap["refusals"][0]["next_command"] == f"athena night {NEXT}"
    planned(athena, shop, "nights", NEXT, AFTER, code=0)

    answer = athena(shop.home, "night", NEXT)
    assert answer.code == 0, answer.err
    again = planned(athena, shop, "nights", NIGHT, code=0)
    assert (again["later"], again["stale"]) == ([NEXT], [])
    assert planned(athena, shop, "nights", NIGHT, NEXT, code=0)["later"] == []
    late_order(shop, athena)
    stale = planned(athena, shop, "nights", NIGHT, "--current", code=0)
    assert (stale["later"], stale["stale"]) == ([NEXT], [NEXT])
    assert "the other deliveries would change" in stale["nights"][0]["outcome"]


def test_plan_promote_when_a_former_champion_is_meant_then_its_gate_its_way_and_no_difference_are_told(
    athena: Command, promoted: Shop
) -> None:
    plan = planned(athena, promoted, "promote", "churn", "1", code=0)
    verdicts = promoted.rows("SELECT count(*) FROM churn.evaluation WHERE section = 'gate' AND slice = 'passed'")
    assert [(len(plan["verdicts"]),)] == verdicts
    assert all(each["passed"] for each in plan["verdicts"])
    assert (plan["stage"], plan["way"], plan["champion"], plan["night"]) == ("archived", ["production"], "2", NIGHT)
    assert plan["difference"]["largest_absolute_change"] == 0.0
    assert plan["difference"]["movers"] == []
    assert plan["difference"]["customers"] == len(published(promoted))


def test_plan_promote_when_no_evaluation_came_with_a_version_then_it_is_refused_and_still_compared(
    athena: Command, promoted: Shop
) -> None:
    plan = planned(athena, promoted, "promote", "churn", "2", code=1)
    assert [each["error"] for each in plan["refusals"]] == ["GateNotPassed"]
    nights = planned(athena, promoted, "nights", NIGHT, "--current", code=0)
    assert plan["difference"] == nights["nights"][0]["differences"][0]


def changed(folder: Path, name: str, *changes: tuple[str, str]) -> Path:
    """A copy of a contract file with some of its text replaced."""
    text = (CONTRACTS / f"{name}.odcs.yaml").read_text()
    for old, new in changes:
        assert re.search(old, text), old
        text = re.sub(old, new, text, count=1)
    path = folder / f"{name}.odcs.yaml"
    path.write_text(text)
    return path


LOWER = (r"maximum: 1000000\b", "maximum: 50")


def announce(file: Path) -> Path:
    """Give a changed contract the next major version and a notice of its own."""
    document = yaml.safe_load(file.read_text())
    document["version"] = "99.0.0"
    others = [each for each in document.get("customProperties", []) if each["property"] != "notice"]
    notice = {"announced": "2030-01-01", "effective": "2030-12-31"}
    document["customProperties"] = [*others, {"property": "notice", "value": notice}]
    file.write_text(yaml.safe_dump(document))
    return file


def test_plan_contract_when_a_limit_is_stricter_then_the_partitions_that_break_it_and_their_owners_are_named(
    athena: Command, resting: Shop, tmp_path: Path
) -> None:
    file = changed(tmp_path, "orders.orders", LOWER)
    plan = planned(athena, resting, "contract", file, code=1)
    expected = {}
    for table in ("orders.orders", "orders.orders_history"):
        ((rows,),) = resting.rows(f"SELECT count(*) FROM {table} WHERE total_order_amount > 50")
        expected[table] = rows
    assert min(expected.values()) > 0
    found = {(each["table"], failure["partition"]): failure for each in plan["tables"] for failure in each["failures"]}
    assert set(found) == {("orders.orders", NIGHT), ("orders.orders_history", "")}
    for (table, _), failure in found.items():
        assert (failure["rule"], failure["severity"]) == ("total_order_amount.maximum", "ERROR")
        assert f"({expected[table]:,} rows," in failure["sentence"]
    assert [(each["checks"], each["outdated"]) for each in plan["tables"]] == [(["ranges"], 1), (["ranges"], 1)]
    assert plan["renew"] == "athena check --outdated"
    assert plan["unannounced"]
    assert "order-data" in plan["owners"]
    assert all(each["minutes"]["measured"] == 1 for each in plan["tables"])


def test_plan_contract_when_it_was_announced_and_stored_rows_keep_it_then_it_goes_through(
    athena: Command, resting: Shop, tmp_path: Path
) -> None:
    announced = announce(changed(tmp_path, "orders.orders", (r"maximum: 1000000\b", "maximum: 900000")))
    plan = planned(athena, resting, "contract", announced, code=0)
    assert [change["breaking"] for change in plan["changes"]] == [True]
    assert [(each["looked_at"], each["failures"]) for each in plan["tables"]] == [(1, []), (1, [])]

    same = changed(tmp_path, "orders.orders", ("Clean orders, purchases and returns.", "Clean orders."))
    plan = planned(athena, resting, "contract", same, code=0)
    assert (plan["changes"], plan["tables"], plan["renew"]) == ([], [], None)


def test_plan_contract_when_a_template_changes_then_the_tables_of_every_model_are_looked_at(
    athena: Command, resting: Shop, tmp_path: Path
) -> None:
    file = changed(tmp_path, "predictions.classification", ("minimum: 0\n", "minimum: 5\n"))
    (table,) = planned(athena, resting, "contract", file, code=1)["tables"]
    ((rows,),) = resting.rows("SELECT count(*) FROM predictions.churn WHERE expected_value_at_risk < 5")
    assert table["table"] == "predictions.churn"
    assert [failure["rule"] for failure in table["failures"]] == ["expected_value_at_risk.minimum"]
    assert f"({rows:,} rows," in table["failures"][0]["sentence"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nights", "yesterday"), "'yesterday' is not a night"),
        (("nights", NEXT, NIGHT), "the range of nights is empty"),
        (("nights", NIGHT, "2099-01-01"), "the range of nights is too long for one plan"),
        (("nights", "2011-10-27"), "lies in the bulk history"),
        (("contract", "nowhere.odcs.yaml"), "nowhere.odcs.yaml is not a contract file"),
        (("contract", "{folder}/orders.csv"), "is not a contract file"),
        (("contract", "{folder}/orders.nobody.odcs.yaml"), "table orders.nobody has no contract"),
        (("contract", "{folder}/orders.orders.odcs.yaml"), "the rules of orders.orders"),
        (("promote", "nobody", "1"), "nobody"),
        (("promote", "churn", "77"), "churn has no version 77"),
    ],
)
def test_plan_when_its_arguments_cannot_be_meant_then_it_says_why_and_writes_nothing(
    arguments: tuple[str, ...], says: str, athena: Command, resting: Shop, tmp_path: Path
) -> None:
    (tmp_path / "orders.csv").touch()
    (tmp_path / "orders.nobody.odcs.yaml").touch()
    changed(tmp_path, "orders.orders", (r"query: >-\n(\s+)", r"query: >-\n\1count(*) FILTER (WHERE nowhere) + "))
    before = every_file(resting)
    answer = athena(resting.home, "plan", *(part.format(folder=tmp_path) for part in arguments))
    assert answer.code == 1, answer.out
    assert says in answer.err
    assert every_file(resting) == before


def test_plan_when_there_is_no_home_then_it_says_so_and_makes_none(athena: Command, tmp_path: Path) -> None:
    answer = athena(tmp_path / "home", "plan", "nights", NIGHT)
    assert answer.code == 1
    assert not (tmp_path / "home").exists()
