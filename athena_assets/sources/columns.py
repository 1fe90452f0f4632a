"""Which delivered column is which: declared names only, and a helpful error for what cannot be read without guessing.

A further column that nobody declared takes nothing away from the declared ones: it is not read, and said.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from athena_assets.sources.errors import ColumnsDiffer, ColumnUnreadable
from athena_assets.sources.mapping import TableMapping
from athena_assets.sources.parsing import WHAT, is_single
from athena_assets.sources.tables import RawColumn
from athena_assets.wording import one_line

MOST_SHOWN = 120
"""Characters of a delivered type that are told: a structure may have any number of fields."""


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
    name stands twice. A missing column beside a new one is refused too: `refusal.py` says what the new one looks like.
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
    raise ColumnsDiffer(
        f"{file}: the columns are not those declared for {table}: {'; '.join(faults)}",
        expected=_quoted(_declared_names(mapping)),
        found=_quoted(delivered) if delivered else "no column at all",
        next_command=f"ask for the complete file, or correct the declaration in {declared_in}",
        file=file,
        table=table,
        missing=missing,
        # Where a name stands twice nobody can say which column is meant: there is nothing to compare.
        undeclared=() if repeated or ambiguous else extra,
    )


def refuse_unreadable(
    columns: Sequence[RawColumn], names: Mapping[str, str], types: Mapping[str, str], *, file: str, table: str
) -> None:
    """Raise `ColumnUnreadable` for the first of the resolved columns that holds no single values.

    names: delivered name of each canonical column; types: DuckDB type of each delivered column.
    """
    for column in columns:
        name = names.get(column.name)
        if name is not None and not is_single(types[name]):
            raise ColumnUnreadable(
                f"{file}: column '{name.strip()}' of {table} holds no single values",
                expected=f"{WHAT[column.type]} a row, for {column.name}",
                found=f"the type {one_line(types[name][:MOST_SHOWN])}",
                next_command="ask for the file with this column as agreed, then load it",
            )


def _declared_names(mapping: TableMapping) -> list[str]:
    names: list[str] = []
    for spec in mapping.columns.values():
        if spec.names:
            shown = spec.names[0] if len(spec.names) == 1 else f"{spec.names[0]} (or {', '.join(spec.aliases)})"
            if shown not in names:
                names.append(shown)
    return names


def _quoted(names: Sequence[str]) -> str:
    return ", ".join(f"'{one_line(name)}'" for name in names)
