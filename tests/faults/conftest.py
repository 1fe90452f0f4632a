"""The template homes of the corpus: made once per test session, by whichever worker asks first."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import made_once, run_command
from tests.faults.corpus.fault import Form
from tests.faults.corpus.shops import Published, make_template, simulate_retailer


@dataclass(frozen=True)
class Template:
    """A shop after several good nights, and what the next two publish when nothing goes wrong."""

    shop: Path
    clean: dict[str, Published]


@pytest.fixture(scope="session")
def template_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Form], Template]:
    """The template home of a form of delivery. Not to be written to."""

    def template(form: Form) -> Template:
        retailer = made_once(tmp_path_factory, "corpus-retailer", simulate_retailer)
        folder = made_once(
            tmp_path_factory,
            f"corpus-{form}",
            lambda folder: make_template(folder, form, retailer, run_command),
        )
        return Template(folder / "shop", json.loads((folder / "clean.json").read_text()))

    return template
