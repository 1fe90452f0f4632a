"""Kills a night at one boundary after another, each time it is run again, and leaves it as the last kill left it.

    python killing.py <shop> <folder for a copy> <night>

The boundaries are those of `dying.py`, which forks: so this is a program of its own, started before any library has
threads. Prints where the night died and what readers saw then, as JSON.
"""

import json
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from dying import (  # noqa: E402
    WROTE_MODULES,
    Boundaries,
    copied,
    in_a_child,
    run_night,
    run_until,
    visible,
)

AGAIN = "after a commit"
"""Where the night, run once more, is left: its rows replaced, nothing computed from them."""
NEVER = 0
"""No boundary has this number."""


class Counted(Boundaries):
    """Counts the boundaries of a night that is left alone."""

    def __init__(self, at: Path) -> None:
        super().__init__(NEVER, at)

    def passed(self, what: str) -> None:
        super().passed(what)
        with self._at.open("a") as names:
            names.write(f"{what}\n")


def main() -> None:
    shop, copy, night = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    import_module("athena_cli.main")
    undisturbed, names = copied(shop, copy), copy / "boundaries.txt"
    if code := in_a_child(lambda: run_night(undisturbed, night, Counted(names))):
        raise SystemExit(f"the undisturbed night ended with {code}")
    for name in json.loads((undisturbed / WROTE_MODULES).read_text()):
        import_module(name)
    before = visible(shop)
    seen = []
    for number, _ in enumerate(names.read_text().splitlines(), start=1):
        at = run_until(shop, night, fatal=number)
        seen.append({"at": at or "the end", "visible": visible(shop)})
        if at is None:
            # What an earlier try has made already is not made again, so the last tries pass fewer boundaries.
            break
    run_until(shop, night, fatal=AGAIN)
    story = {"before": before, "after": visible(undisturbed), "kills": seen}
    sys.stdout.write(json.dumps(story) + "\n")


if __name__ == "__main__":
    main()
