"""Every fault of the corpus is caught, told once, published nowhere, and mended by the line that Athena prints.

`make test-faults` runs it; each fault's row goes to the folder in FAULTS_RESULTS, and docs/faults.md is made of them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.corpus import FAULTS, disk
from tests.faults.corpus.fault import Fault
from tests.faults.corpus.page import row_of
from tests.faults.corpus.play import Observation, play
from tests.faults.corpus.shops import TONIGHT

if TYPE_CHECKING:
    from tests.conftest import Command
    from tests.faults.conftest import Template

pytestmark = pytest.mark.corpus
RESULTS = os.environ.get("FAULTS_RESULTS")


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.name for fault in FAULTS])
def test_night_when_a_fault_strikes_then_it_is_caught_told_once_and_mended_by_the_printed_line(
    fault: Fault, template_of: Callable[[str], Template], athena: Command, tmp_path: Path
) -> None:
    template = template_of(fault.form)
    seen = seen_on_its_own_disk(fault, template, tmp_path) if fault.own_disk else None
    seen = seen or play(fault, template.shop, tmp_path / "shop", str(TONIGHT), athena)
    shutil.rmtree(tmp_path, ignore_errors=True)
    clean = template.clean[str(TONIGHT + timedelta(days=fault.nights - 1))]
    if fault.harmless:
        assert seen.code == 0, seen.said
        assert seen.alerts == []
        assert seen.told == [] or fault.races, seen.told
        assert seen.mended == clean or fault.changes_scores
    else:
        assert seen.caught_by == fault.caught_by
        assert len(seen.told) == 1, seen.told
        assert len(seen.alerts) == 1, [alert["title"] for alert in seen.alerts]
        # What was refused for something else says where to ask; whatever mends is the same line everywhere.
        assert seen.alerts[0]["next"] == seen.command or seen.alerts[0]["next"].startswith("athena why ")
        if fault.blocks:
            assert seen.spoiled == seen.before
        assert (seen.code != 0) == fault.stops, seen.said
        assert set(seen.codes) == {0}, seen.answers
        assert seen.mended == clean
        assert seen.alerts_left == []
    if RESULTS is not None:
        Path(RESULTS).mkdir(parents=True, exist_ok=True)
        (Path(RESULTS) / f"{fault.name}.json").write_text(json.dumps(row_of(fault, seen)) + "\n")


def seen_on_its_own_disk(fault: Fault, template: Template, folder: Path) -> Observation:
    """The observation of a fault that spoils a disk: played in a namespace of its own, where that is allowed."""
    place = folder / "disk"
    place.mkdir()
    mountable = disk.can_mount(place)
    program = [sys.executable, "-m", "tests.faults.corpus.play", fault.name, template.shop, place, str(TONIGHT)]
    told = subprocess.run(
        [*disk.IN_A_NAMESPACE, *program] if mountable else program,
        env={**os.environ, "PYTHONPATH": os.getcwd(), **({disk.MOUNTED: "yes"} if mountable else {})},
        capture_output=True,
        text=True,
        check=False,
    )
    assert told.returncode == 0, told.stderr
    return Observation(**json.loads(told.stdout))
