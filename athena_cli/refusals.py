"""What a command adds to the refusal of a file: what is downstream of the missing columns, and how it goes on."""

import shlex
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from athena_assets.impact import Impact, impact_graph
from athena_assets.sources.errors import ColumnsDiffer
from athena_assets.sources.source import Source
from resources.home import read_home
from resources.settings import Settings


def load_again(files: Sequence[Path], night: str | None, replaces: str | None) -> list[list[str | Path]]:
    """The commands that load a delivery once more, and run its night."""
    load: list[str | Path] = ["athena", "load"]
    load += ["--night", night] if night is not None else []
    load += ["--replaces", replaces] if replaces is not None else []
    commands: list[list[str | Path]] = [[*load, *files]]
    return [*commands, ["athena", "night", night]] if night is not None else commands


@contextmanager
def refusals_in_full(settings: Settings, source: Source, again: Sequence[Sequence[str | Path]]) -> Iterator[None]:
    """Tell a `ColumnsDiffer` of the body with everything that it affects and the command that goes on from there.

    again: the commands to run, one after the other, once the new names are accepted.
    """
    try:
        yield
    except ColumnsDiffer as error:
        impact = impact_of_missing(settings, source, error)
        affected = impact.lines() if impact is not None else []
        raise error.but(affected=affected, next_command=_next(settings, source, error, again)) from None


def impact_of_missing(settings: Settings, source: Source, error: ColumnsDiffer) -> Impact | None:
    """What is downstream of the columns that a refused file lacks; None where it lacks none."""
    columns = (
        [name for name, spec in source.mapping.tables[error.table].columns.items() if spec.delivered in error.missing]
        if error.table
        else []
    )
    if not columns:
        return None
    # A command that is refused leaves no home behind where there was none.
    graph = impact_graph(source, cache=settings.cache if settings.home.is_dir() else None)
    return graph.of(f"raw.{error.table}", columns)


def _next(
    settings: Settings, source: Source, error: ColumnsDiffer, again: Sequence[Sequence[str | Path]]
) -> str | None:
    if not error.accepting:
        return error.next_command
    record = read_home(settings.home)
    if record is None or record.source != source.name:
        names = ", ".join(map(repr, error.undeclared))
        return f"if a column was renamed, add its new name ({names}) to its aliases in {source.declared_in}"
    return " && ".join([*error.accepting, *(shlex.join(map(str, command)) for command in again)])
