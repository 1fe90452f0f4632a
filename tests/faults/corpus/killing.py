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
    copied,
    killed_everywhere,
    run_to_its_end,
    run_until,
    visible,
)


def main() -> None:
    shop, copy, night = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    import_module("athena_cli.main")
    undisturbed = copied(shop, copy)
    run_to_its_end(undisturbed, night)
    for name in json.loads((undisturbed / WROTE_MODULES).read_text()):
        import_module(name)
    before = visible(shop)
    kills = killed_everywhere(shop, night)
    # Left as it is once more begun and killed: its rows replaced, nothing computed from them.
    run_until(shop, night, fatal=lambda boundary: boundary.startswith("after a commit"))
    story = {"before": before, "after": visible(undisturbed), "kills": kills}
    sys.stdout.write(json.dumps(story) + "\n")


if __name__ == "__main__":
    main()
