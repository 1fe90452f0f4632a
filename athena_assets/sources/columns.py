"""Which delivered column is which: declared names only, and a helpful error for what cannot be read without guessing.

A further column that nobody declared takes nothing away from the declared ones: it is not read, and said.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from athena_assets.sources.errors import ColumnsDiffer
from athena_assets.sources.mapping import TableMapping

LOOKS_ALIKE = 0.6
"""Similarity (0 to 1) from which an unknown name is mentioned as the likely rename of a missing one."""


@dataclass(frozen=True)
class ResolvedColumns:
    """`names`: the delivered name of each canonical column that is not a constant, blanks around it kept.

    `undeclared`: names of the delivered columns that nobody declared, in the file's order.
    """

    names: dict[str, str]
    undeclared: tuple[str, ...]


def resolve_columns(
    mapping: TableMapping, delivered: Sequence[str], *, file: str, table: str, declared_in: str
) -> ResolvedColumns:
    """Which delivered column is which, in whatever order they come and whatever blanks stand around their names.

    Raises `ColumnsDiffer` when a declared column is missing, two names of one column are both there or a
    name stands twice. The likeliest rename is named, never used: a missing column beside a new one is refused.
    """
    present = {name.strip(): name for name in delivered}
    # SQL does not tell names apart by their case, so two that differ by it alone are one name that stands twice.
    times = Counter(name.strip().casefold() for name in delivered)
    repeated = sorted({name.strip() for name in delivered if times[name.strip().casefold()] > 1})
    resolved: dict[str, str] = {}
    missing: list[str] = []
    ambiguous: list[str] = []
    claimed = {name.strip() for name in mapping.ignore}
    for column, spec in mapping.columns.items():
        if not spec.names:
            continue
        found = [name for name in spec.names if name.strip() in present]
        claimed.update(name.strip() for name in found)
        if not found:
            if spec.names[0] not in missing:
                missing.append(spec.names[0])
        elif len(found) > 1:
            ambiguous.append(" and ".join(found))
        else:
            resolved[column] = present[found[0].strip()]
    extra = [name.strip() for name in delivered if name.strip() not in claimed]
    if not (missing or ambiguous or repeated):
        return ResolvedColumns(resolved, tuple(extra))

    faults = []
    if missing:
        faults.append(f"missing {_quoted(missing)}")
    if extra:
        faults.append(f"not declared {_quoted(extra)}")
    if ambiguous:
        faults.append(f"both names of one column {_quoted(sorted(set(ambiguous)))}")
    if repeated:
        faults.append(f"name standing twice {_quoted(repeated)}")
    likely = likely_renames(missing, extra)
    hints = [f"{new!r} looks like {old!r}" for old, new in likely.items()]
    what = f"{file}: the columns are not those declared for {table}: {'; '.join(faults)}"
    if hints:
        what += f". {'; '.join(hints)} (not accepted by itself)"
    if likely:
        old, new = next(iter(likely.items()))
        remedy = (
            f"ask the owner of the file; if {new!r} is the new name of {old!r}, declare it: "
            f"add {new!r} to the aliases of {old!r} in {declared_in}"
        )
    else:
        remedy = f"ask for the complete file, or correct the declaration in {declared_in}"
    raise ColumnsDiffer(
        what,
        expected=_quoted(_declared_names(mapping)),
        found=_quoted(delivered) if delivered else "no column at all",
        next_command=remedy,
    )


def likely_renames(missing: Sequence[str], extra: Sequence[str]) -> dict[str, str]:
    """For each missing name the extra name that looks most like it, when one looks like it at all."""
    likely: dict[str, str] = {}
    for old in missing:
        scored = sorted(((_similarity(old, new), new) for new in extra), reverse=True)
        if scored and scored[0][0] >= LOOKS_ALIKE:
            likely[old] = scored[0][1]
    return likely


def _similarity(left: str, right: str) -> float:
    """1.0 for the same words in another order or spelling, else the ratio of matching characters."""
    words_left, words_right = _words(left), _words(right)
    if sorted(words_left) == sorted(words_right):
        return 1.0
    return SequenceMatcher(None, "".join(words_left), "".join(words_right)).ratio()


def _words(name: str) -> list[str]:
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return [word for word in re.split(r"[^0-9a-z]+", spaced.lower()) if word]


def _declared_names(mapping: TableMapping) -> list[str]:
    names: list[str] = []
    for spec in mapping.columns.values():
        if spec.names:
            shown = spec.names[0] if len(spec.names) == 1 else f"{spec.names[0]} (or {', '.join(spec.aliases)})"
            if shown not in names:
                names.append(shown)
    return names


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
