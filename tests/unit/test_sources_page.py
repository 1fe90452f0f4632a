"""docs/sources.md says what the commands do: its example is run, and its list of reasons is complete."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from athena_assets.sources.tables import RAW_TABLES

QUARANTINE = "quarantine"


@pytest.fixture(scope="module")
def page(repository: Path) -> str:
    return (repository / "docs" / "sources.md").read_text(encoding="utf-8")


def block(page: str, language: str) -> str:
    """The page's first fenced block of a language."""
    found = re.search(rf"```{language}\n(.*?)```", page, re.DOTALL)
    assert found is not None
    return found.group(1)


def test_example_when_checked_then_it_prints_what_the_page_shows(
    page: str, tmp_path: Path, athena: Callable[..., Any]
) -> None:
    mapping, file = tmp_path / "corner_shop.yaml", tmp_path / "tills-2026-11-02.csv"
    mapping.write_text(block(page, "yaml"), encoding="utf-8")
    file.write_text(block(page, "csv"), encoding="utf-8")
    answer = athena(tmp_path / "home", "load", "--check", "--mapping", mapping, file)
    assert answer.code == 0, answer.err
    printed = [" ".join(line.split()) for line in answer.out.splitlines()]
    for line in filter(None, block(page, "text").splitlines()):
        shown = " ".join(line.split()).removesuffix("...").strip()
        assert any(said.startswith(shown) for said in printed), shown
    assert not (tmp_path / "home").exists()


def test_reasons_when_listed_then_none_is_missing(page: str, repository: Path) -> None:
    rules = repository / "athena_assets" / "orders" / "rules"
    codes = {
        rule["code"]
        for path in rules.glob("*.yaml")
        for rows in yaml.safe_load(path.read_text(encoding="utf-8"))["tables"].values()
        for rule in rows
        if rule.get("disposition") == QUARANTINE
    }
    assert len(codes) > 20
    assert [code for code in sorted(codes) if f"`{code}`" not in page] == []


def test_columns_when_listed_then_they_are_those_of_the_tables(page: str) -> None:
    for table in RAW_TABLES.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{table.name}` |"))
        listed = re.findall(r"(\*\*)?\b([a-z_]+)\b(?:\*\*)?(?: \([^)]*\))?(?:,|  *\|)", row.split("|", 2)[2] + "|")
        assert [name for _, name in listed] == [column.name for column in table.columns]
        assert {name for bold, name in listed if bold} == {column.name for column in table.columns if column.required}
