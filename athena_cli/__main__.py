"""`athena` as a process: what the console script and `python -m athena_cli` run."""

import atexit
import gc

from athena_cli.ending import ends_at_once


def main() -> None:
    """Entry point of a process of its own; exit codes and output are those of `athena_cli.main`."""
    ends_at_once(_command)


def _command() -> None:
    # What is imported stays: there are no cycles to look for among it, now or later.
    gc.disable()
    from athena_cli.main import main

    gc.freeze()
    # Where Python ends in its own way, DuckDB counts what it still finds and calls it leaked.
    atexit.register(gc.unfreeze)
    gc.enable()
    main()


if __name__ == "__main__":
    main()
