"""How commands speak: progress and words to a person, JSON to a program, errors to standard error."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.table import Table
from rich.text import Text

from athena_assets.errors import AthenaError
from athena_assets.wording import one_line, printable

WIDTH_OF_A_LOG = 140
"""Columns where standard output is no terminal: a log or a pipe does not wrap."""


class Plain(Console):
    """A console on which text is text: square brackets style nothing, and control characters are shown, not obeyed."""

    def __init__(self, **options: Any) -> None:
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **options: Any) -> Text:
        """Rich's words for every text that it is given, a cell of a table among them."""
        return super().render_str(printable(text), **options)


console = Plain(width=None if sys.stdout and sys.stdout.isatty() else WIDTH_OF_A_LOG)
errors = Plain(stderr=True)


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Show that long work is under way: a spinner on a terminal, a line elsewhere. Goes to standard error."""
    line = one_line(what)
    if errors.is_terminal:
        with errors.status(Text(line)):
            yield
        errors.print(Text.assemble(("done", "green"), " ", line))
    else:
        errors.print(line)
        yield


def print_error(error: AthenaError) -> None:
    """A named error as a person reads it; standard output stays clean for programs."""
    first, _, rest = str(error).partition("\n")
    errors.print(f"error: {first}", style="bold red", soft_wrap=True)
    if rest:
        errors.print(rest, soft_wrap=True)


def print_json(document: object) -> None:
    """JSON for a program: Decimal and dates as text, keys in the order given."""
    sys.stdout.write(json.dumps(document, indent=2, default=_plain) + "\n")


def _plain(value: object) -> str:
    if isinstance(value, Decimal | date | datetime | Path):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table; numbers are right-aligned, and a sequence of texts stands in its cell line by line."""
    console.print(title, style="bold", soft_wrap=True)
    table = Table(box=SIMPLE, pad_edge=False)
    for index, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[index], int | float | Decimal) for row in rows)
        table.add_column(column, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_shown(cell) for cell in row))
    console.print(table)


def _shown(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:.4f}"
    if isinstance(cell, Decimal):
        return _money(cell)
    return "\n".join(map(one_line, cell)) if isinstance(cell, list | tuple) else one_line(str(cell))


def _money(amount: Decimal) -> str:
    """Exact, with at least two decimals."""
    whole, _, decimals = f"{amount:,f}".partition(".")
    return f"{whole}.{decimals.rstrip('0'):0<2}"
