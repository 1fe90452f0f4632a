"""Every alert that can be made has a page, every page is reached, and every command on a page exists."""

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.checks import CHECKS
from athena_assets.monitoring.runbooks import ERRORS, KINDS, STEP_FAILED, kind_of, runbook_of
from athena_assets.orders.checks import NAME as DELIVERED
from athena_cli.main import app
from checks.compiler import GROUPS
from resources.findings import Finding

PACKAGES = ("athena_assets", "athena_cli", "checks", "cost", "resources")
ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "runbooks").glob("*.md"))


def finding(kind: str, check: str, rule: str = "x", severity: str = "ERROR") -> Finding:
    return Finding(kind, severity, "raw.order_lines", "2026-10-29", check, rule, "")  # type: ignore[arg-type]


def named_errors() -> set[str]:
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            if not name.endswith(("definitions", "__init__")):
                importlib.import_module(name)
    found, waiting = set(), [AthenaError]
    while waiting:
        for each in waiting.pop().__subclasses__():
            if each.__module__.partition(".")[0] in PACKAGES:
                found.add(each.__name__)
            waiting.append(each)
    return found


@pytest.mark.parametrize("severity", ["ERROR", "WARN"])
@pytest.mark.parametrize("check", [*GROUPS, *(f"{group}_warnings" for group in GROUPS), DELIVERED, *CHECKS])
def test_check_when_it_fails_then_its_alert_has_a_page_of_its_own(check: str, severity: str) -> None:
    kind = kind_of(finding("check", check, severity=severity))
    assert kind != STEP_FAILED
    assert (ROOT / runbook_of(kind)).is_file()


@pytest.mark.parametrize(
    ("check", "rule", "kind"),
    [
        ("completeness_warnings", "spend_90d.null_limit", "null-rate"),
        ("distribution_warnings", "spend_90d.psi", "drift"),
        ("distribution_warnings", "positive_rate", "positive-rate"),
        ("freshness_warnings", "publication.stale", "stale-publication"),
        ("distribution_warnings", "rows", "distribution"),
        ("calibration", "brier", "model-gate"),
    ],
)
def test_warning_when_it_differs_from_the_error_then_it_has_another_page(check: str, rule: str, kind: str) -> None:
    assert kind_of(finding("check", check, rule, "WARN")) == kind


def test_errors_when_walked_through_then_each_has_a_page_and_no_page_is_for_an_error_that_is_gone() -> None:
    errors = named_errors()
    assert len(errors) > 60
    missing = {name for name in errors if not (ROOT / runbook_of(kind_of(finding("error", "error", name)))).is_file()}
    assert missing == set()
    assert {name for names in ERRORS.values() for name in names} - errors == set()


def test_pages_when_counted_then_they_are_those_of_the_kinds_and_the_index_lists_each() -> None:
    assert {page.stem for page in PAGES} == {*KINDS, "README"}
    index = (ROOT / "docs" / "runbooks" / "README.md").read_text()
    assert re.findall(r"\| \[([a-z-]+)\]\(\1\.md\)", index) == list(KINDS)


@pytest.mark.parametrize("page", [page for page in PAGES if page.stem != "README"], ids=lambda page: page.stem)
def test_page_when_read_then_it_says_what_where_why_how_whom_and_whether(page: Path) -> None:
    text = page.read_text()
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == [
        "What it means",
        "First look",
        "Likely causes",
        "Mend",
        "Whom to call",
        "Override",
    ]
    assert f"Kind `{page.stem}`" in text
    assert list(commands_of(text)), "a page without a command mends nothing"


def commands_of(text: str) -> Iterator[list[str]]:
    """Every command line of a page: in a span of code or in a block."""
    for span, block in re.findall(r"`(athena [^`]+)`|^    (athena .+)$", text, re.MULTILINE):
        yield shlex.split(span or block)[1:]


def unknown_in(words: list[str]) -> list[str]:
    """What of a command line the program does not know: a command, or an option of it."""
    command: Any = typer.main.get_command(app)
    while words and not words[0].startswith("--") and (commands := getattr(command, "commands", None)):
        if words[0] not in commands:
            return words[:1]
        command, words = commands[words[0]], words[1:]
    known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    return [word for word in words if word.startswith("--") and word not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_of_a_page_when_looked_up_then_the_program_knows_them(page: Path) -> None:
    unknown = {" ".join(words): unknown_in(words) for words in commands_of(page.read_text())}
    assert {line: what for line, what in unknown.items() if what} == {}


@pytest.mark.parametrize(
    "line", ["nihgt 2026-10-29", "alerts akc 1", "night 2026-10-29 --curent", "alerts ack 1 --bye A"]
)
def test_commands_when_misspelt_then_the_look_up_would_notice(line: str) -> None:
    assert unknown_in(line.split()) != []
