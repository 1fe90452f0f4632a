"""An aggregate call of a feature, taken apart: its function, its arguments, its filter, and when a row leaves it.

Only the shapes that the features use are known; what has another shape is simply not carried from night to night.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from athena_assets.features.expressions import identifiers, top_level_parts

DAYS_AGO = "days_ago"
"""The age of a row in days, by which windows choose."""
AGES = frozenset({DAYS_AGO, "days_registered"})
"""The columns of base tables that grow by one from one night to the next; no other changes."""

ADDED_UP = frozenset({"count", "sum"})
"""What can be kept up to date by adding what came and taking away what went."""
EXTREMES = {
    "min": "least({a}, {b})",
    "max": "greatest({a}, {b})",
    "bit_or": "coalesce({a} | {b}, {a}, {b})",
    "bit_and": "coalesce({a} & {b}, {a}, {b})",
    "bool_or": "coalesce({a} OR {b}, {a}, {b})",
    "bool_and": "coalesce({a} AND {b}, {a}, {b})",
}
"""What can be kept up to date with what came, by this text, as long as nothing goes (see carried.py)."""

_CALL = re.compile(r"(?P<function>\w+) ?\((?P<arguments>.*)\)", re.DOTALL)
_FILTER = re.compile(r"\) ?FILTER ?\( ?WHERE (?P<condition>.*)\)\Z", re.DOTALL | re.IGNORECASE)
_BETWEEN = re.compile(rf"\b{DAYS_AGO} BETWEEN (\d+) AND (\d+)\b", re.IGNORECASE)
_COMPARED = re.compile(rf"\b{DAYS_AGO} ?(<=|>=|<|>|=) ?(\d+)\b")

_OF_A_CAST = frozenset({"CAST", "AS", "DECIMAL", "DOUBLE", "BIGINT", "HUGEINT"})
_MORE_THAN_SUMS_AND_PRODUCTS = re.compile(r"[^\w\s+*(),.-]")
"""What an expression holds that may be null though its columns are not: a division, a comparison, a text."""
_NO_CONJUNCTION = re.compile(rf"\b(OR|CASE)\b|\bNOT ?(\(|{DAYS_AGO})", re.IGNORECASE)
"""What makes a filter more than conditions that must all hold."""


@dataclass(frozen=True)
class Window:
    """The ages in days, inclusive, that a filter lets through; None is an open end."""

    youngest: int | None
    oldest: int | None


@dataclass(frozen=True)
class AggregateCall:
    """One call as the features write it, `text`, with spaces normalised."""

    text: str

    @cached_property
    def condition(self) -> str | None:
        """The text of its FILTER."""
        match = _FILTER.search(self.text)
        return match["condition"] if match else None

    @cached_property
    def function(self) -> str:
        """Its name in lower case."""
        return self._parts[0]

    @cached_property
    def arguments(self) -> tuple[str, ...]:
        """The texts between its brackets."""
        return self._parts[1]

    @cached_property
    def _parts(self) -> tuple[str, tuple[str, ...]]:
        match = _FILTER.search(self.text)
        call = _CALL.fullmatch(self.text if match is None else self.text[: match.start() + 1])
        assert call is not None, self.text
        return call["function"].lower(), tuple(top_level_parts(call["arguments"]))

    @cached_property
    def windows(self) -> tuple[Window, ...] | None:
        """What its filter asks of the age of a row, all of which must hold; None where that cannot be read."""
        text = self.condition or ""
        if _NO_CONJUNCTION.search(text):
            return None
        found = [Window(int(low), int(high)) for low, high in _BETWEEN.findall(text)]
        text = _BETWEEN.sub("", text)
        for operator, number in _COMPARED.findall(text):
            day = int(number)
            found.append(
                {
                    "<=": Window(None, day),
                    "<": Window(None, day - 1),
                    ">=": Window(day, None),
                    ">": Window(day + 1, None),
                    "=": Window(day, day),
                }[operator]
            )
        return None if AGES & identifiers(_COMPARED.sub("", text)) else tuple(found)

    def among(self, condition: str) -> str:
        """The text of the call over those rows only of which a condition holds."""
        conditions = condition if self.condition is None else f"({self.condition}) AND {condition}"
        return f"{self.function}({', '.join(self.arguments)}) FILTER (WHERE {conditions})"

    @property
    def adds_up(self) -> bool:
        """Whether what goes can be taken away from it."""
        return self.function in ADDED_UP

    def counting(self, never_null: Collection[str] = ()) -> str:
        """The call that counts the values behind a sum; all rows where it adds up columns that are never null."""
        (value,) = self.arguments
        # Sums and products of values are values; of what else there may be in SQL, not all is.
        is_plain = identifiers(value) - _OF_A_CAST <= set(never_null)
        is_value = is_plain and not _MORE_THAN_SUMS_AND_PRODUCTS.search(value)
        counted = "*" if is_value else value
        return f"count({counted})" + ("" if self.condition is None else f" FILTER (WHERE {self.condition})")

    @property
    def is_age(self) -> bool:
        """Whether its value is the age of a row, which grows with every night."""
        return self.arguments[0] in AGES

    @property
    def is_top(self) -> bool:
        """Whether it keeps several extremes, `min(x, n)`."""
        return self.function in ("min", "max") and len(self.arguments) == 2

    @property
    def is_latest(self) -> bool:
        """Whether it takes the value of the row in which something else is greatest, `arg_max(x, known_at)`."""
        return self.function == "arg_max" and len(self.arguments) == 2 and self.condition is None

    @property
    def dating(self) -> str:
        """The call that says how great that is in the row that `is_latest` takes."""
        value, when = self.arguments
        return f"max({when}) FILTER (WHERE ({value}) IS NOT NULL)"

    @property
    def can_be_carried(self) -> bool:
        """Whether its value of one night follows from that of an earlier night and the rows that came and went."""
        if "$" in self.text:
            # What is stored would depend on more than its text.
            return False
        if self.is_latest:
            value, when = self.arguments
            return not AGES & identifiers(when) and (self.is_age or not AGES & identifiers(value))
        if self.windows is None or self.function not in ADDED_UP | EXTREMES.keys():
            return False
        if self.is_top and (self.windows or not self.arguments[1].isdigit()):
            # Merging would count a row that has crossed an edge twice.
            return False
        if len(self.arguments) != 1 and not self.is_top:
            return False
        in_days = AGES & identifiers(self.arguments[0])
        return not in_days or (self.function in ("min", "max") and self.is_age)
