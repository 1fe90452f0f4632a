"""docs/contracts/ says what the contracts say: made from them, and made again when they change."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml

from athena_cli.contract_pages import contract_pages
from checks.contract import Band, Contract, SqlRule
from checks.contract_files import CONTRACTS, contract_names, load_contract
from checks.contract_page import contract_page, index_page

if TYPE_CHECKING:
    from tests.conftest import Command


def test_pages_when_a_contract_or_a_feature_changes_then_they_are_made_again(repository: Path) -> None:
    """If this fails: athena contracts pages."""
    there = {path.name: path.read_text() for path in (repository / "docs" / "contracts").glob("*.md")}
    assert there == contract_pages()


@pytest.mark.parametrize("name", contract_names())
def test_page_when_read_then_every_promise_of_the_file_stands_on_it(name: str) -> None:
    document = yaml.safe_load((CONTRACTS / f"{name}.odcs.yaml").read_text())
    (table,) = document["schema"]
    page = contract_pages()[f"{name}.md"]
    expected = [document["team"]["name"], document["version"], *(role["role"] for role in document["roles"])]
    for column in table["properties"]:
        expected += [f"`{column['name']}`", f"`{column['physicalType']}`", " ".join(column["description"].split())]
        expected += [f"`{value['value']}`" for value in column.get("enum", [])]
    for rule in table.get("quality", []):
        expected += [f"`{rule['name']}`", " ".join(rule["description"].split())]
    assert [words for words in expected if words.replace("|", "\\|") not in page] == []


def test_page_when_a_rule_warns_or_looks_back_then_it_says_how(tmp_path: Path) -> None:
    band = Band(tolerance=Decimal("0.1"), relative=True, spread=Decimal(5), side="below")
    contract = replace(
        load_contract("orders.orders"),
        rules=(
            SqlRule("drop", "Fewer | orders.", "count(*)", "distribution", severity="WARN", band=band),
            SqlRule("odd", "Odd.", "count(*)", "conformity", limit=Decimal("0.025"), relative=True),
        ),
        notice_days=30,
        notice=("2026-10-01", "2026-11-01"),
        rows_every_open_day=True,
    )
    page = contract_page("orders.orders", contract, ["orders.orders"])
    below = "10 % or 5 robust deviations below the median of 28 earlier partitions"
    assert f"| `drop` | distribution_warnings | WARN | {below} | Fewer \\| orders. |" in page
    assert "| `odd` | consistency | ERROR | 2.5 % | Odd. |" in page
    assert "| notice | 30 days before a breaking change |" in page
    assert "| last notice | announced 2026-10-01, in effect from 2026-11-01 |" in page
    assert "| freshness | rows on every day on which the retailer trades |" in page


def test_template_when_its_page_is_read_then_the_tables_made_of_it_are_named() -> None:
    assert "| tables | `churn.training_set` |" in contract_pages()["model.training_set.md"]
    assert "| tables | `predictions.churn` |" in contract_pages()["predictions.classification.md"]


def test_index_when_read_then_it_counts_what_blocks_and_what_warns() -> None:
    contract: Contract = load_contract("orders.orders")
    warning = SqlRule("w", "W.", "count(*)", "conformity", severity="WARN")
    more = replace(contract, rules=(*contract.rules, warning))

    def counts(each: Contract) -> list[int]:
        (line,) = [line for line in index_page({"orders.orders": each}).splitlines() if "(orders.orders.md)" in line]
        return [int(cell) for cell in line.split("|")[5:7]]

    blocking, warnings = counts(contract)
    assert counts(more) == [blocking, warnings + 1]


def test_command_when_run_then_pages_of_contracts_that_are_gone_go_too(athena: Command, tmp_path: Path) -> None:
    folder = tmp_path / "pages"
    folder.mkdir()
    (folder / "orders.gone.md").write_text("old")
    answer = athena(tmp_path / "home", "contracts", "pages", "--folder", folder)
    assert answer.code == 0, answer.err
    assert {path.name for path in folder.iterdir()} == {"index.md", *(f"{name}.md" for name in contract_names())}
