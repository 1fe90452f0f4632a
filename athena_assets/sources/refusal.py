"""Why a file with other columns than the declared ones is refused, in the words of the engineer's next step.

A missing column is told together with the new one that looks like it, what speaks for it, and the command by which
a person accepts it. Where two look alike, or none does, it says so and names nobody's rename.
"""

from collections.abc import Sequence

import duckdb

from athena_assets.sources.aliases import accept_command
from athena_assets.sources.errors import ColumnsDiffer
from athena_assets.sources.rename import CLOSE, Candidate, FindLastGood, LastGood, RefusedFile, candidates
from athena_assets.sources.source import Source
from athena_assets.wording import one_line
from checks.contract_files import load_contract

MOST_NAMES = 8
LONGEST_NAME = 40


def diagnosed(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    file: RefusedFile,
    error: ColumnsDiffer,
    find_last_good: FindLastGood | None,
) -> ColumnsDiffer:
    """The refusal with what the new columns look like; as it is where nothing is missing or nothing is new."""
    if not (error.missing and error.undeclared):
        return error
    last_good = find_last_good(file.table) if find_last_good is not None else None
    try:
        found = candidates(connection, source, file, error.missing, error.undeclared, last_good)
    except (duckdb.InvalidInputException, duckdb.IOException):
        # A file that cannot be read to its end is refused for its columns all the same.
        return error
    told = [_sentence(file.table, old, _of(found, old), error.undeclared) for old in error.missing]
    what = f"{error.file}: {'; '.join(told)}. {_compared_with(last_good)}; nothing is accepted by itself"
    accepting = [_accepting(file.table, old, _of(found, old)) for old in error.missing]
    owner = load_contract(f"raw.{file.table}").owner
    clear = [command for command in accepting if command is not None]
    if len(clear) == len(error.missing):
        return error.but(what=what, accepting=clear, next_command=" && ".join(clear))
    possible = [each for each in found if each.plausible]
    if possible and all(_of(possible, old) for old in error.missing):
        return error.but(
            what=what, next_command=f"ask {owner} which it is, then the one of: {_commands(file, possible)}"
        )
    if possible:
        accepted = f"what was renamed in it is accepted by: {_commands(file, possible)}"
        return error.but(what=what, next_command=f"ask {owner} for the complete file; {accepted}")
    return error.but(
        what=what,
        next_command=f"ask {owner} for the complete file, or correct the declaration in {source.declared_in}",
    )


def _commands(file: RefusedFile, possible: Sequence[Candidate]) -> str:
    return "; or ".join(accept_command(f"raw.{file.table}", each.missing, each.new) for each in possible)


def _of(found: Sequence[Candidate], missing: str) -> list[Candidate]:
    return [each for each in found if each.missing == missing]


def _sentence(table: str, missing: str, found: Sequence[Candidate], new: Sequence[str]) -> str:
    plausible = [each for each in found if each.plausible]
    misleading = [each for each in found if each.alike_by_name_only]
    parts = [f"{table}.{missing} is missing", *(each.sentence() for each in (*plausible, *misleading))]
    if len(plausible) > 1 and not _is_clear(plausible):
        parts.append(f"{one_line(plausible[0].new)} and {one_line(plausible[1].new)} are too close to tell which")
    if not plausible:
        parts.append(f"no new column looks like it (new: {_listed(new)})")
    return "; ".join(parts)


def _listed(names: Sequence[str]) -> str:
    """Names for a person: a file that is no table may have anything in its first line."""
    lines = [one_line(name) for name in names[:MOST_NAMES]]
    shown = [name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}..." for name in lines]
    return ", ".join(shown) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")


def _is_clear(plausible: Sequence[Candidate]) -> bool:
    return len(plausible) == 1 or plausible[0].likeness - plausible[1].likeness >= CLOSE


def _accepting(table: str, missing: str, found: Sequence[Candidate]) -> str | None:
    """The command that accepts the one candidate; None where there is none, or none alone."""
    plausible = [each for each in found if each.plausible]
    if not plausible or not _is_clear(plausible):
        return None
    return accept_command(f"raw.{table}", missing, plausible[0].new)


def _compared_with(last_good: LastGood | None) -> str:
    if last_good is None:
        return "There is no earlier delivery to compare it with"
    return f"Compared with what was delivered to night {last_good.last_night}"
