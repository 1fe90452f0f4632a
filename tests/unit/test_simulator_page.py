"""docs/simulator.md names every parameter with the default and the range that the code has."""

import re
from dataclasses import fields

from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.truth import TABLES


def test_page_when_a_parameter_is_added_or_moved_then_its_row_says_so(repository):
    page = (repository / "docs" / "simulator.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| ([^|]+ \| [^|]+) \| [^|]{4,} \|$", page, flags=re.MULTILINE))
    told = {name: value.replace(",", "").replace("2^63 − 1", str(2**63 - 1)) for name, value in rows.items()}
    assert told == {
        spec.name: f"{'off' if spec.default is None else spec.default} | "
        + (f"{spec.metadata['low']} to {spec.metadata['high']}" if spec.metadata else "a day")
        for spec in fields(SimulatorParameters)
    }


def test_page_when_the_truth_gains_a_table_then_it_is_named(repository):
    page = (repository / "docs" / "simulator.md").read_text(encoding="utf-8")
    for table in (*TABLES, "products"):
        assert f"`{table}` (" in page
