"""docs/faults.md: one row a fault, made of what the corpus saw.

python -m tests.faults.corpus.page <folder of results> > docs/faults.md
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.faults.corpus import FAULTS
from tests.faults.corpus.fault import Fault
from tests.faults.corpus.play import Observation

HEAD = """# Faults

What goes wrong, who notices, and what mends it: made by `make test-faults`, which lets each of these happen to a shop
with two years of history and {nights} good nights. For every fault that is not harmless it holds: exactly one alert
went out, and the line that `athena why` printed, executed as it stood, brought the published bytes of a clean run.

{count} faults. {blocked} stop the command that meets them before anything is published. {warned} warn: their rows
wait in quarantine, or a figure lies where its contract alerts and does not stop. {harmless} are harmless:
they pass, and nobody is told.
"""
COLUMNS = ("fault", "what goes wrong", "where", "caught by", "mended by", "and the printed line")


def row_of(fault: Fault, seen: Observation) -> dict[str, str]:
    """What the page says of one fault, from what was seen."""
    return {
        "name": fault.name,
        "kind": fault.kind,
        "does": fault.does,
        "stage": fault.stage,
        "caught_by": caught(fault),
        "mended_by": "" if fault.harmless else fault.mended_by,
        "line": shortened(seen.command),
    }


def warns(fault: Fault) -> bool:
    """Whether it informs and stops nothing."""
    return not fault.harmless and not fault.stops


def caught(fault: Fault) -> str:
    """Who notices a fault, in words; the run holds it to what was seen."""
    if fault.harmless:
        return "nobody: it is harmless"
    return f"{'warns: ' if warns(fault) else ''}{'; '.join(fault.caught_by)}"


def shortened(line: str) -> str:
    """A printed line without what is this machine's: folders and the ids of deliveries."""
    line = re.sub(r"(?:/[^\s']+)?/delivered/", ".../", line)
    return re.sub(r"\b(online_retail_ii|simulator)-[0-9a-f]{16}\b", "DELIVERY", line)


def page(rows: Mapping[str, Mapping[str, str]]) -> str:
    """The page, faults in the order of the corpus; raises `KeyError` for a fault that has no result."""
    from tests.faults.corpus.shops import GOOD_NIGHTS

    harmless, warned = (sum(map(is_so, FAULTS)) for is_so in (lambda each: each.harmless, warns))
    blocked = len(FAULTS) - harmless - warned
    text = [HEAD.format(nights=GOOD_NIGHTS, count=len(FAULTS), harmless=harmless, warned=warned, blocked=blocked)]
    for kind in dict.fromkeys(fault.kind for fault in FAULTS):
        text += [f"\n## {kind.capitalize()}\n", f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        for fault in FAULTS:
            if fault.kind == kind:
                text.append(_line(rows[fault.name]))
    return "\n".join(text) + "\n"


def _line(row: Mapping[str, str]) -> str:
    cells = (
        f"`{row['name']}`",
        row["does"],
        row["stage"],
        row["caught_by"].replace("|", "\\|"),
        row["mended_by"] or "–",
        f"`{row['line']}`" if row["line"] else "–",
    )
    return f"| {' | '.join(cells)} |"


def main() -> None:
    results = [json.loads(path.read_text()) for path in sorted(Path(sys.argv[1]).glob("*.json"))]
    sys.stdout.write(page({row["name"]: row for row in results}))


if __name__ == "__main__":
    main()
