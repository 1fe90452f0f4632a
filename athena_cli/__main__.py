"""`athena` as a process: what the console script and `python -m athena_cli` run."""

from athena_cli.ending import ends_at_once


def main() -> None:
    """Entry point of a process of its own; exit codes and output are those of `athena_cli.main`."""
    ends_at_once(_command)


def _command() -> None:
    from athena_cli.main import main

    main()


if __name__ == "__main__":
    main()
