"""Two versions of a contract: what breaks those who rely on it, what does not, and whether they were told in time."""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from checks.contract import Contract
from checks.contract_diff import compare, diff_contracts
from checks.contract_files import CONTRACTS, InvalidContract, parse_contract
from checks.contract_versions import FOLDER, NoSuchVersion, base_revision, contracts_at

if TYPE_CHECKING:
    from tests.conftest import Command

NAME = "shop.sales.odcs.yaml"
Document = dict[str, Any]
BASE: Document = {
    "apiVersion": "v3.1.0",
    "kind": "DataContract",
    "id": "shop.sales",
    "name": "shop.sales",
    "version": "1.4.2",
    "status": "active",
    "team": {"name": "tills"},
    "roles": [{"role": "finance", "access": "read"}],
    "slaProperties": [{"property": "noticePeriod", "value": 30, "unit": "d"}],
    "schema": [
        {
            "name": "sales",
            "physicalName": "shop.sales",
            "description": "Sales.",
            "dataGranularityDescription": "one sale",
            "customProperties": [{"property": "history", "value": True}],
            "properties": [
                {"name": "id", "physicalType": "BIGINT", "description": "Number.", "primaryKey": True},
                {
                    "name": "amount",
                    "physicalType": "DECIMAL(18,4)",
                    "description": "Value.",
                    "logicalTypeOptions": {"minimum": 0, "maximum": 1000},
                    "customProperties": [{"property": "unit", "value": "currency"}],
                },
                {
                    "name": "till",
                    "physicalType": "VARCHAR",
                    "description": "Till.",
                    "enum": [{"value": "a"}, {"value": "b"}],
                    "customProperties": [{"property": "null_limit", "value": 0.1}],
                },
                {
                    "name": "sold_on",
                    "physicalType": "DATE",
                    "description": "Day.",
                    "required": True,
                    "logicalTypeOptions": {"minimum": "2000-01-01"},
                },
            ],
            "quality": [
                {
                    "name": "late",
                    "type": "sql",
                    "description": "Late.",
                    "dimension": "timeliness",
                    "query": "count(*) FILTER (WHERE sold_on > night)",
                    "mustBeLessOrEqualTo": 5,
                },
                {
                    "name": "odd",
                    "type": "sql",
                    "description": "Odd.",
                    "severity": "warning",
                    "query": "count(*) FILTER (WHERE amount = 13)",
                    "mustBe": 0,
                },
            ],
        }
    ],
}


def table(document: Document) -> Document:
    return document["schema"][0]


def column(document: Document, name: str) -> Document:
    (found,) = [each for each in table(document)["properties"] if each["name"] == name]
    return found


def quality(document: Document, name: str) -> Document:
    (found,) = [each for each in table(document)["quality"] if each["name"] == name]
    return found


def written(folder: Path, document: Document) -> Contract:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).write_text(yaml.safe_dump(document, sort_keys=False))
    return parse_contract(folder / NAME)


def without(name: str) -> Callable[[Document], object]:
    def change(document: Document) -> None:
        table(document)["properties"] = [each for each in table(document)["properties"] if each["name"] != name]

    return change


def with_column(**more: Any) -> Callable[[Document], object]:
    new = {"name": "tip", "physicalType": "DOUBLE", "description": "Tip.", **more}
    return lambda document: table(document)["properties"].append(new)


def banded(**more: Any) -> Document:
    """A rule that compares a figure with its own history."""
    band = {"tolerance": 0.2, "relative": True, "spread": 4, **more}
    custom = [{"property": "within_history", "value": band}]
    rule = {"name": "level", "type": "sql", "description": "Level.", "query": "count(*)", "customProperties": custom}
    return {**rule, "dimension": "distribution"}


@pytest.mark.parametrize(
    ("band", "breaking"),
    [
        ({"tolerance": 0.3}, False),
        ({"spread": 5}, False),
        ({"tolerance": 0.1}, True),
        ({"spread": 3}, True),
        ({"tolerance": 0.3, "spread": 3}, True),
        ({"side": "below"}, True),
    ],
)
def test_band_when_it_is_wider_then_it_is_harmless_and_anything_else_is_breaking(
    band: Document, breaking: bool, tmp_path: Path
) -> None:
    old, new = copy.deepcopy(BASE), copy.deepcopy(BASE)
    table(old)["quality"].append(banded())
    table(new)["quality"].append(banded(**band))
    (change,) = compare(written(tmp_path / "old", old), written(tmp_path / "new", new))
    assert (change.what, change.breaking) == ("rule level compared with its history otherwise", breaking)


def with_rule(**more: Any) -> Callable[[Document], object]:
    new = {"name": "far", "type": "sql", "description": "Far.", "query": "count(*)", "mustBe": 0, **more}
    return lambda document: table(document)["quality"].append(new)


BREAKING: dict[str, tuple[Callable[[Document], object], str]] = {
    "removed": (without("amount"), "amount removed"),
    "renamed": (lambda d: column(d, "amount").update(name="value"), "amount renamed to value"),
    "narrowed": (lambda d: column(d, "id").update(physicalType="INTEGER"), "id BIGINT -> INTEGER (not wider)"),
    "fewer digits": (
        lambda d: column(d, "amount").update(physicalType="DECIMAL(18,6)"),
        "amount DECIMAL(18,4) -> DECIMAL(18,6) (not wider)",
    ),
    "retyped": (lambda d: column(d, "sold_on").update(physicalType="VARCHAR"), "sold_on DATE -> VARCHAR (not wider)"),
    "unit": (
        lambda d: column(d, "amount").update(customProperties=[{"property": "unit", "value": "pence"}]),
        "amount unit currency -> pence",
    ),
    "required": (lambda d: column(d, "till").update(required=True), "till nulls allowed 10.00% -> 0.00%"),
    "null limit": (
        lambda d: column(d, "till").update(customProperties=[{"property": "null_limit", "value": 0.05}]),
        "till nulls allowed 10.00% -> 5.00%",
    ),
    "null limit new": (
        lambda d: column(d, "amount")["customProperties"].append({"property": "null_limit", "value": 0.5}),
        "amount nulls allowed 100.00% -> 50.00%",
    ),
    "minimum": (lambda d: column(d, "amount")["logicalTypeOptions"].update(minimum=1), "amount minimum 0 -> 1"),
    "maximum": (lambda d: column(d, "amount")["logicalTypeOptions"].update(maximum=999), "amount maximum 1000 -> 999"),
    "minimum new": (lambda d: column(d, "id").update(logicalTypeOptions={"minimum": 1}), "id minimum none -> 1"),
    "first day": (
        lambda d: column(d, "sold_on").update(logicalTypeOptions={"minimum": "2001-01-01"}),
        "sold_on minimum 2000-01-01 -> 2001-01-01",
    ),
    "value": (lambda d: column(d, "till")["enum"].pop(), "till no longer accepts b"),
    "value for another": (lambda d: column(d, "till")["enum"][1].update(value="c"), "till no longer accepts b and"),
    "values": (lambda d: column(d, "id").update(enum=[{"value": "1"}]), "id accepts only 1"),
    "reference": (
        lambda d: column(d, "till").update(relationships=[{"type": "foreignKey", "to": "shop.tills.id"}]),
        "till reference None -> shop.tills.id",
    ),
    "key": (lambda d: column(d, "till").update(primaryKey=True), "key (id) -> (id, till)"),
    "required column": (with_column(required=True), "tip added, required"),
    "rule": (with_rule(), "new ERROR rule far: Far."),
    "warning blocks": (lambda d: quality(d, "odd").update(severity="error"), "rule odd WARN -> ERROR"),
    "limit": (lambda d: quality(d, "late").update(mustBeLessOrEqualTo=4), "rule late limit 5 -> 4"),
    "rewritten": (lambda d: quality(d, "late").update(query="count(*)"), "rule late computed otherwise"),
    "every open day": (
        lambda d: d["slaProperties"].append({"property": "frequency", "value": 1, "unit": "open_day"}),
        "new ERROR rule rows.open_day",
    ),
    "notice period": (lambda d: d["slaProperties"][0].update(value=7), "notice period 30 -> 7 days"),
    "history": (lambda d: table(d).pop("customProperties"), "history table removed"),
    "partitions": (
        lambda d: table(d)["customProperties"].append({"property": "partitioned_by", "value": "none"}),
        "partitioned by night -> None",
    ),
}

HARMLESS: dict[str, tuple[Callable[[Document], object], str]] = {
    "optional column": (with_column(), "tip added"),
    "optional column with a range": (with_column(logicalTypeOptions={"minimum": 0}), "tip added"),
    "wider": (
        lambda d: column(d, "amount").update(physicalType="DECIMAL(20,4)"), "amount DECIMAL(18,4) -> DECIMAL(20,4)",
    ),
    "no longer required": (lambda d: column(d, "sold_on").pop("required"), "sold_on nulls allowed 0.00% -> 100.00%"),
    "null limit": (
        lambda d: column(d, "till").update(customProperties=[{"property": "null_limit", "value": 0.2}]),
        "till nulls allowed 10.00% -> 20.00%",
    ),
    "range": (
        lambda d: column(d, "amount")["logicalTypeOptions"].update(maximum=2000), "amount maximum 1000 -> 2000",
    ),
    "range gone": (lambda d: column(d, "amount").pop("logicalTypeOptions"), "amount maximum 1000 -> none"),
    "value": (lambda d: column(d, "till")["enum"].append({"value": "c"}), "till accepts c too"),
    "any value": (lambda d: column(d, "till").pop("enum"), "till accepts any value"),
    "rule gone": (lambda d: table(d)["quality"].pop(0), "rule late removed"),
    "limit": (lambda d: quality(d, "late").update(mustBeLessOrEqualTo=9), "rule late limit 5 -> 9"),
    "blocking warns": (lambda d: quality(d, "late").update(severity="warning"), "rule late ERROR -> WARN"),
    "warning": (with_rule(severity="warning"), "new WARN rule far"),
    "owner": (lambda d: d["team"].update(name="stores"), "owner tills -> stores"),
    "longer notice": (lambda d: d["slaProperties"][0].update(value=60), "notice period 30 -> 60 days"),
}  # fmt: skip


def changed(folder: Path, change: Callable[[Document], object], **document: Any) -> tuple[Contract, Contract]:
    new = copy.deepcopy(BASE)
    change(new)
    new.update(document)
    return written(folder / "old", BASE), written(folder / "new", new)


@pytest.mark.parametrize("name", BREAKING)
def test_change_when_it_takes_something_away_then_it_is_breaking(name: str, tmp_path: Path) -> None:
    change, says = BREAKING[name]
    old, new = changed(tmp_path, change)
    told = [each.what for each in compare(old, new) if each.breaking]
    assert any(each.startswith(says) for each in told), told


@pytest.mark.parametrize("name", HARMLESS)
def test_change_when_it_takes_nothing_away_then_it_is_harmless(name: str, tmp_path: Path) -> None:
    change, says = HARMLESS[name]
    old, new = changed(tmp_path, change)
    found = list(compare(old, new))
    assert [each.what for each in found if each.breaking] == []
    assert any(each.what.startswith(says) for each in found), found


def test_wording_when_it_changes_then_there_is_no_difference(tmp_path: Path) -> None:
    old, new = changed(tmp_path, lambda d: column(d, "amount").update(description="What was paid."), version="1.4.3")
    assert list(compare(old, new)) == []


@pytest.mark.parametrize(
    ("version", "notice", "missing"),
    [
        ("1.5.0", None, "version 2.0.0 (found 1.5.0); a notice, announced at least 30 days before"),
        ("2.0.0", None, "a notice, announced at least 30 days before it takes effect (found none)"),
        ("1.5.0", ("2026-10-01", "2026-11-01"), "version 2.0.0 (found 1.5.0)"),
        ("2.0.0", ("2026-10-01", "2026-10-30"), "30 days between announced and effective (found 29)"),
        ("2.0.0", ("2026-11-01", "2026-10-01"), "30 days between announced and effective (found -31)"),
        ("2.0.0", ("2026-10-01", "2026-10-31"), None),
        ("3.0.0", ("2026-10-01", "2027-01-01"), None),
    ],
)
def test_breaking_change_when_announced_in_time_with_a_major_version_then_it_passes(
    version: str, notice: tuple[str, str] | None, missing: str | None, tmp_path: Path
) -> None:
    custom = [{"property": "notice", "value": {"announced": notice[0], "effective": notice[1]}}] if notice else []
    old, new = changed(tmp_path, without("till"), version=version, customProperties=custom)
    (diff,) = diff_contracts({"shop.sales": old}, {"shop.sales": new})
    told = diff.unannounced()
    assert (told or "").startswith(missing or "")
    assert (told is None) == (missing is None)


def test_breaking_change_when_the_notice_is_that_of_an_earlier_one_then_it_was_not_announced(tmp_path: Path) -> None:
    notice = [{"property": "notice", "value": {"announced": "2026-01-01", "effective": "2026-06-01"}}]
    old = written(tmp_path / "old", {**copy.deepcopy(BASE), "version": "2.0.0", "customProperties": notice})
    new = copy.deepcopy(BASE) | {"version": "3.0.0", "customProperties": notice}
    without("till")(new)
    (diff,) = diff_contracts({"shop.sales": old}, {"shop.sales": written(tmp_path / "new", new)})
    assert diff.unannounced() == "a notice of this change (found that of version 2.0.0)"


def test_contract_when_removed_then_it_is_breaking_and_when_new_then_not(tmp_path: Path) -> None:
    contract = written(tmp_path, BASE)
    (removed,) = diff_contracts({"shop.sales": contract}, {})
    assert (removed.unannounced() or "").startswith("a notice")
    (made,) = diff_contracts({}, {"shop.sales": contract})
    assert made.unannounced() is None


@pytest.mark.parametrize(
    ("more", "missing"),
    [
        ({}, "a notice of the removal, `of: removal` (found that of version 2.0.0)"),
        ({"of": "removal"}, None),
        ({"of": "removal", "effective": "2026-01-02"}, "30 days between announced and effective (found 1)"),
    ],
)
def test_contract_when_removed_then_the_notice_of_an_earlier_change_does_not_announce_it(
    more: dict[str, str], missing: str | None, tmp_path: Path
) -> None:
    notice = {"announced": "2026-01-01", "effective": "2026-06-01", **more}
    custom = [{"property": "notice", "value": notice}]
    old = written(tmp_path, {**copy.deepcopy(BASE), "version": "2.0.0", "customProperties": custom})
    (removed,) = diff_contracts({"shop.sales": old}, {})
    assert removed.unannounced() == missing


def test_breaking_change_when_only_the_removal_was_announced_then_it_was_not_announced(tmp_path: Path) -> None:
    custom = [{"property": "notice", "value": {"announced": "2026-01-01", "effective": "2026-06-01", "of": "removal"}}]
    old, new = changed(tmp_path, without("till"), version="2.0.0", customProperties=custom)
    (diff,) = diff_contracts({"shop.sales": old}, {"shop.sales": new})
    assert diff.unannounced() == "a notice of this change (found that of the removal)"


def test_version_when_it_is_no_version_then_the_error_says_so(tmp_path: Path) -> None:
    old, new = changed(tmp_path, without("till"), version="next")
    (diff,) = diff_contracts({"shop.sales": old}, {"shop.sales": new})
    with pytest.raises(InvalidContract, match=r"MAJOR\.MINOR\.PATCH"):
        diff.unannounced()


def test_command_when_a_contract_of_ours_breaks_then_it_lists_what_is_downstream_and_fails(
    athena: Command, tmp_path: Path
) -> None:
    name = "orders.orders.odcs.yaml"
    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
        (folder / name).write_text((CONTRACTS / name).read_text())
    assert athena(tmp_path / "home", "contracts", "diff", old, new).code == 0

    document = yaml.safe_load((new / name).read_text())
    column(document, "channel")["required"] = True
    (new / name).write_text(yaml.safe_dump(document, sort_keys=False))
    answer = athena(tmp_path / "home", "contracts", "diff", old, new)
    assert answer.code == 1
    assert "breaking  channel nulls allowed 100.00% -> 0.00%" in answer.out
    assert "features: channel_count_365d (customer-insight)" in answer.out
    assert "published: predictions.churn (read by retention team)" in answer.out
    major = int(document["version"].split(".")[0])
    assert f"refused   not announced: needs version {major + 1}.0.0 (found {major}." in answer.out
    told = json.loads(athena(tmp_path / "home", "contracts", "diff", old / name, new / name, "--json").out)
    assert {"order-data", "customer-insight", "retention-analytics"} <= set(told["contracts"][0]["owners"])
    assert not (tmp_path / "home").exists()


def test_command_when_asked_for_two_comparisons_or_for_nothing_that_is_there_then_it_says_so(
    athena: Command, tmp_path: Path
) -> None:
    both = athena(tmp_path / "home", "contracts", "diff", "HEAD", "--since", "HEAD")
    assert (both.code, "OLD NEW, or --since" in both.err) == (1, True)
    nothing = athena(tmp_path / "home", "contracts", "diff", "no-such-revision")
    assert (nothing.code, "there are no contracts at no-such-revision" in nothing.err) == (1, True)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository whose main branch has two commits of one contract."""
    repository = tmp_path / "checkout"
    repository.mkdir()
    git(repository, "init", "-q", "-b", "main")
    for version in ("1.0.0", "1.1.0"):
        written(repository / FOLDER, BASE | {"version": version})
        git(repository, "add", ".")
        git(repository, "commit", "-q", "-m", version)
    return repository


def git(repository: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    done = subprocess.run(["git", *identity, *arguments], cwd=repository, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_base_when_on_the_main_branch_then_it_is_the_last_commit_that_differs(
    checkout: Path,
) -> None:
    before = base_revision(checkout)
    assert before == git(checkout, "rev-parse", "HEAD~1")
    assert {name: each.version for name, each in contracts_at(before or "", checkout).items()} == {
        "shop.sales": "1.0.0"
    }
    written(checkout / FOLDER, BASE | {"version": "1.2.0"})
    assert base_revision(checkout) == git(checkout, "rev-parse", "HEAD")


def test_base_when_on_a_branch_then_it_is_where_the_branch_began(checkout: Path) -> None:
    began = git(checkout, "rev-parse", "HEAD")
    git(checkout, "switch", "-q", "-c", "change")
    for version in ("1.2.0", "1.3.0"):
        written(checkout / FOLDER, BASE | {"version": version})
        git(checkout, "commit", "-q", "-a", "-m", version)
    assert base_revision(checkout) == began


def test_base_when_the_clone_is_shallow_or_no_repository_then_there_is_none(checkout: Path, tmp_path: Path) -> None:
    subprocess.run(
        ["git", "clone", "-q", "--depth", "1", checkout.as_uri(), str(tmp_path / "shallow")],
        check=True,
        capture_output=True,
    )
    assert base_revision(tmp_path / "shallow") is None
    (tmp_path / "copy").mkdir()
    assert base_revision(tmp_path / "copy") is None


def test_contracts_when_the_revision_had_none_then_all_are_new(checkout: Path) -> None:
    git(checkout, "checkout", "-q", "--orphan", "empty")
    git(checkout, "rm", "-rfq", ".")
    git(checkout, "commit", "-q", "--allow-empty", "-m", "empty")
    assert contracts_at("empty", checkout) == {}
    with pytest.raises(NoSuchVersion):
        contracts_at("nowhere", checkout)
