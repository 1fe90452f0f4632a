"""What cleaning runs: a scope, the facts that are made first, and the SELECT of each clean table."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from athena_assets.nights import Night
from athena_assets.sources.tables import DATE, RAW_TABLES, TEXT
from athena_assets.sql import parameters_used, words

if TYPE_CHECKING:
    import duckdb

_TYPES = {"night": DATE, **{c.name: c.type for table in RAW_TABLES.values() for c in table.columns}}


@dataclass(frozen=True)
class Scope:
    """What is cleaned in one go: the whole bulk history, or one night."""

    night: date | None = None

    @classmethod
    def history(cls) -> "Scope":
        """Everything that bulk deliveries brought."""
        return cls()

    @classmethod
    def of_night(cls, night: Night) -> "Scope":
        """One nightly partition."""
        return cls(night.day)

    @property
    def suffix(self) -> str:
        """Suffix of the tables that hold the scope."""
        return "_history" if self.night is None else ""

    @property
    def condition(self) -> str:
        """SQL condition on `night` that selects the scope from its tables."""
        return "true" if self.night is None else "night = $night"

    @property
    def clean_lines(self) -> str:
        """Address of the clean lines of the scope."""
        return f"orders.order_lines{self.suffix}"

    def places(self, table: str) -> dict[str, str]:
        """What every template over a raw table may name: where the rows of the scope are."""
        return {
            "raw": f"raw.{table}{self.suffix}",
            "in_scope": self.condition,
            "clean_lines": self.clean_lines,
            "suffix": self.suffix,
        }

    def earlier(self, table: str, columns: Sequence[str]) -> str:
        """SELECT of what was clean before the scope: nothing for the history, else the history and earlier nights."""
        if self.night is None:
            nothing = ", ".join(f"CAST(NULL AS {_TYPES.get(name, TEXT)}) AS {name}" for name in columns)
            return f"SELECT {nothing} WHERE false"
        names = ", ".join(columns)
        return (
            f"SELECT {names} FROM orders.{table}_history "
            f"UNION ALL SELECT {names} FROM orders.{table} WHERE night < $night"
        )

    def parameters_of(self, sql: str) -> dict[str, Any]:
        """The parameters that the text uses."""
        return parameters_used(sql, {"night": self.night})


@dataclass(frozen=True)
class Fact:
    """What is to be known of some rows before others are judged; `name` is the temporary table that `select` fills.

    gives: the columns that it gives the rows that are judged, each with the SQL of its value for a row of which the
        fact says nothing.
    key: by what it is joined to them; at most one of its rows has the same.
    """

    name: str
    select: str
    parameters: dict[str, Any]
    key: tuple[str, ...] = ()
    gives: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CleanStatement:
    """One clean table's SELECT. `target` is the address to insert its rows into, by name.

    facts: what the select reads as temporary tables, in the order in which to make them (`make_facts`).
    """

    table: str
    target: str
    select: str
    parameters: dict[str, Any]
    facts: tuple[Fact, ...] = ()

    @property
    def whole(self) -> str:
        """The same SELECT with its facts as common table expressions, for whoever follows columns through it."""
        if not self.facts:
            return self.select
        parts = ",\n".join(f"{fact.name} AS (\n{fact.select}\n)" for fact in self.facts)
        return f"WITH {parts}\nSELECT * FROM (\n{self.select}\n)"


def facts_read(select: str, facts: Iterable[Fact]) -> tuple[Fact, ...]:
    """Those of the facts that the text reads, and those that they rest on; each may rest on the ones before it."""
    read = words(select)
    needed: list[Fact] = []
    for fact in reversed(tuple(facts)):
        if fact.name in read:
            needed.insert(0, fact)
            read |= words(fact.select)
    return tuple(needed)


def make_facts(connection: "duckdb.DuckDBPyConnection", statement: CleanStatement, made: set[str]) -> None:
    """Fill the temporary tables that the statement reads and `made` does not name yet; adds their names to it."""
    for fact in statement.facts:
        if fact.name not in made:
            connection.execute(f"CREATE OR REPLACE TEMP TABLE {fact.name} AS {fact.select}", fact.parameters)
            made.add(fact.name)
