"""Rows that offend a rule, as a small table of the columns that say something."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from athena_assets.wording import one_line
from checks.contract import Contract
from checks.evaluation import offending_rows
from checks.rules import Rule

MOST_ROWS = 5
MOST_COLUMNS = 8
WIDEST = 24


@dataclass(frozen=True)
class Offending:
    """Rows that offend one rule."""

    rule: str
    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]

    def lines(self) -> list[str]:
        """A small table: the columns that say something, the offended one among them."""
        kept = self._shown()
        cells = [[self.columns[index] for index in kept], *([_cell(row[index]) for index in kept] for row in self.rows)]
        widths = [max(len(line[index]) for line in cells) for index in range(len(kept))]
        return [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
        ]

    def _shown(self) -> list[int]:
        """Identity first, then the column that the rule names; technical columns only where there is room."""
        named = self.rule.partition(".")[0]
        quiet = ("delivery_id", "night", "known_at", "parse_error", "description")
        order = sorted(
            range(len(self.columns)),
            key=lambda index: (self.columns[index] != named, self.columns[index] in quiet, index),
        )
        return sorted(order[:MOST_COLUMNS])


def offending_of(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    rules: Mapping[str, Rule],
    names: Sequence[str],
    partition: str | None,
) -> list[Offending]:
    """Some rows that offend each of the named rules, of those of which single rows offend; partition: its key."""
    found = []
    for name in names:
        rule = rules.get(name)
        if rule is None:
            continue
        columns, rows = offending_rows(connection, contract, rule, partition=partition, most=MOST_ROWS)
        if rows:
            found.append(Offending(rule.id, tuple(columns), tuple(rows)))
    return found


def _cell(value: object) -> str:
    text = "NULL" if value is None else one_line(str(value))
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
