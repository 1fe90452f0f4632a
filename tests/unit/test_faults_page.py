"""docs/faults.md speaks of exactly the faults that the corpus plays."""

import re
from pathlib import Path

from tests.faults.corpus import FAULTS
from tests.faults.corpus.page import caught


def test_faults_page_when_read_then_it_has_one_row_for_each_fault_of_the_corpus(repository: Path) -> None:
    text = (repository / "docs" / "faults.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (\w+) \| (.*?) \| ", text, flags=re.MULTILINE)
    expected = [(fault.name, fault.does, fault.stage, caught(fault)) for fault in FAULTS]
    assert sorted(rows) == sorted(expected)


def test_corpus_when_read_then_no_fault_is_another_one_under_a_second_name() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS)
    assert len({fault.does for fault in FAULTS}) == len(FAULTS)
