"""How every benchmark prints: one Markdown table that stands in docs/benchmarks.md as it was printed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """One table: its cells are text already, its notes say what the figures rest on."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def markdown(self) -> str:
        """The table with aligned columns; every column but the first is right-aligned."""
        widths = [max(3, *(len(row[column]) for row in (self.columns, *self.rows))) for column in self._positions()]
        rule = [f"{'-' * (width - 1)}{'-' if column == 0 else ':'}" for column, width in enumerate(widths)]
        lines = [self._line(self.columns, widths), self._line(rule, widths)]
        lines += [self._line(row, widths) for row in self.rows]
        return "\n".join([f"**{self.title}**", "", *lines, *(f"\n{note}" for note in self.notes)])

    def _positions(self) -> Iterator[int]:
        return iter(range(len(self.columns)))

    @staticmethod
    def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
        first, *others = (
            cell.ljust(width) if position == 0 else cell.rjust(width)
            for position, (cell, width) in enumerate(zip(cells, widths, strict=True))
        )
        return f"| {' | '.join([first, *others])} |"


def seconds(value: float) -> str:
    """Seconds to three significant places or milliseconds, as a person compares them."""
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def milliseconds(value: float) -> str:
    """Seconds shown as milliseconds."""
    return f"{value * 1_000:.2f}"


def microseconds(value: float) -> str:
    """Seconds shown as microseconds."""
    return f"{value * 1_000_000:,.0f}"


def mebibytes(value: float) -> str:
    """Bytes shown as MiB."""
    return f"{value / 1024 / 1024:,.0f}"


def ratio(value: float, floor: float) -> str:
    """How many times the floor; a dash where the floor is nothing."""
    return f"{value / floor:.2f}" if floor > 0 else "-"
