"""The rules of docs/architecture.md that a machine can hold."""

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from athena_assets.features.lint import lint_directory
from resources.settings import settings_page

PACKAGES = ["athena_assets", "athena_cli", "checks", "cost", "resources"]


def ruff(repository: Path, filename: str, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format=concise", "--stdin-filename"]
    return subprocess.run(
        [*command, filename, "-"], input=text, capture_output=True, text=True, cwd=repository, check=False
    )


def modules_of(repository: Path) -> list[str]:
    paths = (path for package in PACKAGES for path in (repository / package).rglob("*.py"))
    relative = (path.relative_to(repository).with_suffix("") for path in paths)
    return sorted(".".join(path.parts).removesuffix(".__init__") for path in relative)


def test_modules_when_imported_then_they_are_this_checkouts(repository: Path) -> None:
    names = modules_of(repository)
    assert len(names) > 40
    for name in names:
        if name.endswith("definitions"):
            continue  # opens a home; tests/assets loads it
        path = importlib.import_module(name).__file__
        assert path is not None
        assert Path(path).is_relative_to(repository), name


def test_modules_when_a_stranger_has_the_same_name_then_its_file_is_elsewhere(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "__init__.py").write_text("")
    script = "import checks; print(checks.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True, env={"PYTHONPATH": ""}
    )
    assert not Path(done.stdout.strip()).is_relative_to(repository), "the rule above would not notice a stranger"


@pytest.mark.parametrize("module", ["dagster", "pickle", "joblib", "dagster_duckdb"])
def test_import_rule_when_a_plain_module_breaks_it_then_ruff_says_so(repository: Path, module: str) -> None:
    text = f'"""Doc."""\n\nimport {module}\n\nprint_me = {module}\n'
    done = ruff(repository, "athena_assets/features/compiler.py", text)
    assert done.returncode == 1
    assert "TID251" in done.stdout


@pytest.mark.parametrize(
    "filename", ["athena_assets/orders/assets.py", "athena_assets/definitions.py", "checks/x.py", "resources/x.py"]
)
def test_import_rule_when_the_name_says_dagster_then_it_is_allowed(repository: Path, filename: str) -> None:
    assert ruff(repository, filename, '"""Doc."""\n\nimport dagster\n\nx = dagster\n').returncode == 0


def test_requirements_when_locked_then_every_line_is_pinned_hashed_and_without_addresses(repository: Path) -> None:
    text = (repository / "requirements.lock").read_text()
    names = [line for line in text.splitlines() if line and line[0].isalnum()]
    assert names
    assert all("==" in line for line in names)
    assert text.count("--hash=sha256:") >= len(names)
    assert "nvidia-nccl" not in text.split("\n", 3)[3]
    assert "://" not in text


def test_tracked_files_when_read_then_no_path_of_a_machine_is_in_them(repository: Path) -> None:
    machine_path = r"(^|[^A-Za-z0-9_./-])/(work|root|home/[a-z]+)/"
    done = subprocess.run(
        ["git", "grep", "-nIE", machine_path, "--", ".", ":!tests/unit/test_house.py"],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == ""


@pytest.mark.parametrize("folder", ["athena_assets/models", "athena_assets/orders/sql", "athena_assets/features"])
def test_sql_when_linted_then_nothing_depends_on_clock_chance_or_row_order(repository: Path, folder: str) -> None:
    assert list((repository / folder).rglob("*.sql"))
    assert lint_directory(repository / folder) == []


def test_settings_page_when_settings_change_then_it_is_made_again(repository: Path) -> None:
    assert (repository / "docs/settings.md").read_text() == settings_page()


def test_pages_when_they_link_to_a_file_then_it_exists(repository: Path) -> None:
    pages = [*repository.glob("*.md"), *(repository / "docs").rglob("*.md")]
    broken = [
        f"{page.relative_to(repository)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text())
        if not (page.parent / target).exists()
    ]
    assert broken == []


def test_make_help_when_asked_then_it_names_the_two_commands(repository: Path) -> None:
    done = subprocess.run(["make", "-s", "help"], cwd=repository, capture_output=True, text=True, check=True)
    assert "make run" in done.stdout
    assert "make test" in done.stdout
