"""One column of what is kept from night to night (`carried.py`): its stored text, how it is moved on, its value."""

from dataclasses import dataclass
from datetime import date

from athena_assets.features.aggregates import DAYS_AGO, EXTREMES, AggregateCall

_FIXED_DAY = date(2000, 1, 1)
_SINCE_THE_FIXED_DAY = f"(CAST($as_of AS DATE) - DATE '{_FIXED_DAY}')"
DIVIDED_EVERY_DAYS = 14
"""What divides the window of an extreme is its first day that is a multiple of so many from the fixed day."""


@dataclass(frozen=True)
class CarriedColumn:
    """One stored column: an aggregate, or what another one needs beside it to be moved on or told.

    That is the number of values behind a sum, without which 0 and null are one, and the time of the latest value.
    """

    name: str
    call: AggregateCall
    beside: str = ""
    """The name of the column that this one needs beside it."""

    @property
    def text(self) -> str:
        """What is stored."""
        if self.call.function == "sum":
            return f"coalesce({self.call.text}, 0)"
        text = self.call.among(f"{DAYS_AGO} <= {self.young}") if self.is_divided else self.call.text
        return self._shifted(text, "-") if self.call.is_age else text

    @property
    def value(self) -> str:
        """The aggregate at $as_of, from what is stored and, where its window is divided, from `old`."""
        if self.call.function == "sum":
            return f"CASE WHEN stored.{self.beside} > 0 THEN stored.{self.name} END"
        stored = f"stored.{self.name}"
        stored = self._shifted(stored, "+") if self.call.is_age else stored
        return EXTREMES[self.call.function].format(a=stored, b=f"old.{self.name}") if self.is_divided else stored

    @property
    def old(self) -> str:
        """The aggregate of the rows before the day that divides its window."""
        return self.call.among(f"{DAYS_AGO} > {self.young}")

    @property
    def moved(self) -> str:
        """What is stored for the later night.

        Over `earlier` (the stored row), `went` and `came` (the touched rows as they were and as they are) and `fresh`
        (those of them that could not be seen before).
        """
        stored = f"earlier.{self.name}"
        if self.call.adds_up:
            return f"coalesce({stored}, 0) + coalesce(came.{self.name}, 0) - coalesce(went.{self.name}, 0)"
        if self.call.is_latest:
            is_later = f"came.{self.beside} >= coalesce(earlier.{self.beside}, came.{self.beside})"
            return f"CASE WHEN {is_later} THEN came.{self.name} ELSE {stored} END"
        if self.call.is_top:
            # Of several extremes, one that crossed an edge would be counted twice: only what is new is merged.
            order = "ASC" if self.call.function == "min" else "DESC"
            both = f"list_sort(list_concat({stored}, fresh.{self.name}), '{order}')"
            return f"CASE WHEN fresh.{self.name} IS NULL THEN {stored} ELSE {both}[1:{self.call.arguments[1]}] END"
        return EXTREMES[self.call.function].format(a=stored, b=f"came.{self.name}")

    @property
    def is_divided(self) -> bool:
        """Whether it is an extreme of rows that leave a window."""
        return not self.call.adds_up and self.oldest is not None

    @property
    def oldest(self) -> int | None:
        """The greatest age of a row that counts; None where any age does."""
        return min((window.oldest for window in self.call.windows or () if window.oldest is not None), default=None)

    @property
    def young(self) -> str:
        """The greatest age of a row since the day that divides the window."""
        to_the_edge = f"({self.oldest} - {_SINCE_THE_FIXED_DAY})"
        every = DIVIDED_EVERY_DAYS
        return f"({self.oldest} - ({to_the_edge} % {every} + {every}) % {every})"

    def is_divided_alike(self, as_of: date, other: date) -> bool:
        """Whether the same day divides its window at two of them."""
        oldest = self.oldest or 0
        return len({(oldest - (day - _FIXED_DAY).days) // DIVIDED_EVERY_DAYS for day in (as_of, other)}) == 1

    def _shifted(self, text: str, sign: str) -> str:
        if self.call.is_top:
            return f"list_transform({text}, lambda age: age {sign} {_SINCE_THE_FIXED_DAY})"
        return f"{text} {sign} {_SINCE_THE_FIXED_DAY}"
