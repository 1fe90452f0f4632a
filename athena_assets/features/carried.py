"""What is kept from night to night: every customer's aggregates of one table, and the SQL that moves them on.

Ages are kept as of one fixed day, so that a customer to whom nothing happened is the same every night. Of the others,

* those with a row that became known, or whose age crossed the edge of a window, lose from their counts and sums what
  such rows were worth and gain what they are worth now; extremes are merged with what came;
* those of an order that was corrected since have everything computed again.

An extreme has no inverse: it cannot give back a row that leaves its window. So its window is divided by a fixed day.
From the rows since that day nothing leaves, and they are what is stored; the few before it are read every night and
merged with them. Every two weeks the window reaches the day, and the next one takes its place.

Everything is exact, so the result is that of a full scan, to the bit. Counts and sums follow the counting algorithm of
A. Gupta, I. S. Mumick and V. S. Subrahmanian, "Maintaining views incrementally", SIGMOD 1993; the division of a window
is that of the queue of two stacks, K. Tangwongsan, M. Hirzel and S. Schneider, "Low-latency sliding-window aggregation
in worst-case constant time", DEBS 2017.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from athena_assets.features.aggregates import AggregateCall
from athena_assets.features.base_table import BaseTable
from athena_assets.features.carried_column import CarriedColumn

_EARLIER = {"$as_of": "$earlier_as_of", "$cutoff": "$earlier_cutoff"}


@dataclass(frozen=True)
class CarriedTable:
    """The aggregates of one base table; `aliases` are the compiler's names for them, by the text of the call.

    corrected: rows of the table have been delivered again, corrected (see `BaseTable.text`). What is stored is the same
    either way.
    """

    base: BaseTable
    aliases: Mapping[str, str]
    corrected: bool

    @property
    def address(self) -> str:
        """Where they are stored, one row per customer."""
        return f"features.carried_{self.base.table}"

    @cached_property
    def calls(self) -> dict[str, AggregateCall]:
        """The calls by the compiler's alias."""
        return {alias: AggregateCall(text) for text, alias in self.aliases.items()}

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits that change with what is stored; whether rows were corrected is not part of it."""
        return hashlib.sha256(self._grouped(self.base.text(corrected=False)).encode()).hexdigest()[:12]

    @property
    def can_be_carried(self) -> bool:
        """Whether every aggregate of the table can be moved on."""
        told = not self.corrected or self.base.correction_flag is not None
        return told and self.base.event_time is not None and all(call.can_be_carried for call in self.calls.values())

    @cached_property
    def columns(self) -> tuple[CarriedColumn, ...]:
        """The stored columns: each call, and what it needs beside it."""
        stored = {call.text: CarriedColumn(alias, call) for alias, call in self.calls.items()}
        for alias, call in self.calls.items():
            needed = self._needed_beside(call)
            if needed is not None:
                beside = stored.setdefault(needed, CarriedColumn(f"{alias}_beside", AggregateCall(needed)))
                stored[call.text] = CarriedColumn(alias, call, beside.name)
        return tuple(stored.values())

    def _needed_beside(self, call: AggregateCall) -> str | None:
        if call.function == "sum":
            return call.counting(self.base.never_null)
        return call.dating if call.is_latest else None

    @cached_property
    def divided(self) -> tuple[CarriedColumn, ...]:
        """The columns of which only the younger part is stored."""
        return tuple(column for column in self.columns if column.is_divided)

    def values(self) -> str:
        """A SELECT of `customer_id` and the compiler's aliases from what is stored; parameters $as_of, $cutoff."""
        by_name = {column.name: column for column in self.columns}
        selected = ", ".join(f"{by_name[alias].value} AS {alias}" for alias in self.calls)
        text = f"SELECT stored.customer_id, {selected} FROM {self.address} AS stored"
        if not self.divided:
            return text
        return f"{text}\nLEFT JOIN (\n{self._old()}\n) AS old ON old.customer_id = stored.customer_id"

    def from_all_rows(self) -> str:
        """The rows to store, from a scan of the whole table; parameters $as_of, $cutoff."""
        return self._grouped(self._rows())

    def from_earlier(self, days: int) -> str:
        """The rows of the customers whose stored row, of the night `days` before, is no longer right.

        With a column `stays`, false for a customer to whom no row is left. Parameters $as_of, $cutoff, and
        $earlier_as_of, $earlier_cutoff of that night.
        """
        now = self._rows("touched")
        then = now
        for name, earlier in _EARLIER.items():
            then = then.replace(name, earlier)
        columns = ",\n    ".join(f"{column.moved} AS {column.name}" for column in self.columns)
        tops = {column.name: column.text for column in self.columns if column.call.is_top}
        return f"""WITH touched AS (
{self._touched(days)}
),
{self._corrected_customers()}
as_it_was AS (
{then}
),
went AS (
{self._grouped("SELECT * FROM as_it_was")}
),
came AS (
{self._grouped(now)}
),
fresh AS (
{self._grouped(self._rows(f"(SELECT * FROM touched WHERE {self._is_fresh})"), tops)}
)
SELECT
    theirs.customer_id,
    {columns},
    earlier.customer_id IS NOT NULL OR came.customer_id IS NOT NULL AS stays
FROM (SELECT DISTINCT customer_id FROM touched WHERE {self._is_told}) AS theirs
LEFT JOIN {self.address} AS earlier ON earlier.customer_id = theirs.customer_id
LEFT JOIN came ON came.customer_id = theirs.customer_id
LEFT JOIN went ON went.customer_id = theirs.customer_id
LEFT JOIN fresh ON fresh.customer_id = theirs.customer_id
{self._computed_again()}"""

    def is_divided_alike(self, as_of: datetime, other: datetime) -> bool:
        """Whether the same days divide the windows at two of them."""
        return all(column.is_divided_alike(as_of.date(), other.date()) for column in self.divided)

    def divided_anew(self) -> str:
        """All rows to store, with what is divided computed again; parameters $as_of, $cutoff."""
        replaced = ", ".join(f"young.{column.name} AS {column.name}" for column in self.divided)
        oldest = max(column.oldest or 0 for column in self.divided)
        rows = self._rows(f"(SELECT * FROM {self.base.source} WHERE NOT {self._is_older(str(oldest))})")
        young = self._grouped(rows, {column.name: column.text for column in self.divided})
        return f"""SELECT stored.* REPLACE ({replaced}) FROM {self.address} AS stored
LEFT JOIN (
{young}
) AS young ON young.customer_id = stored.customer_id"""

    def _rows(self, among: str | None = None) -> str:
        """The rows of the base table, or those of them among other rows of its source."""
        return self.base.text(corrected=self.corrected, among=among)

    @property
    def _is_fresh(self) -> str:
        """That the earlier night could not see a row."""
        return f"(known_at > $earlier_cutoff OR {self.base.event_time} >= $earlier_as_of)"

    @property
    def _is_told(self) -> str:
        """That a customer follows from his stored row and the touched ones."""
        told = "customer_id IS NOT NULL"
        return f"{told} AND customer_id NOT IN (SELECT customer_id FROM corrected)" if self.corrected else told

    def _touched(self, days: int) -> str:
        """The rows that are new or crossed the edge of a window.

        Each range of time is a scan of its own: a scan skips what lies outside of one range, but not of several.
        """
        event = self.base.event_time
        ranges = [
            f"{event} >= $earlier_as_of",
            f"{event} < $earlier_as_of AND known_at > $earlier_cutoff",
            *(
                f"{event} < $earlier_as_of AND known_at <= $earlier_cutoff"
                f" AND {event} >= $as_of - INTERVAL {oldest} DAY AND {event} < $as_of - INTERVAL {youngest - 1} DAY"
                for youngest, oldest in self._crossed(days)
            ),
        ]
        source = self.base.source
        return "\nUNION ALL\n".join(f"SELECT * FROM {source} WHERE known_at <= $cutoff AND {each}" for each in ranges)

    def _crossed(self, days: int) -> list[tuple[int, int]]:
        """The youngest and oldest age, inclusive and today, of rows that crossed an edge; apart from each other."""
        windows = [(window, call) for call in self.calls.values() for window in call.windows or ()]
        entered = {(w.youngest, w.youngest + days - 1) for w, _ in windows if w.youngest is not None}
        left = {(w.oldest + 1, w.oldest + days) for w, call in windows if w.oldest is not None and call.adds_up}
        apart: list[tuple[int, int]] = []
        for youngest, oldest in sorted(entered | left):
            if apart and youngest <= apart[-1][1]:
                apart[-1] = (apart[-1][0], max(oldest, apart[-1][1]))
            else:
                apart.append((youngest, oldest))
        return apart

    def _old(self) -> str:
        """The aggregates of the rows that still count and are older than the day that divides their window."""
        ages = {column.oldest: column.young for column in self.divided}
        # A row of two windows may come twice, which no extreme minds.
        rows = "\nUNION ALL\n".join(
            f"SELECT * FROM {self.base.source} WHERE {self._is_older(young)} AND NOT {self._is_older(str(oldest))}"
            for oldest, young in ages.items()
        )
        return self._grouped(self._rows(f"({rows})"), {column.name: column.old for column in self.divided})

    def _is_older(self, age: str) -> str:
        return f"{self.base.event_time} < CAST($as_of AS TIMESTAMP) - to_days(CAST({age} AS INTEGER))"

    def _corrected_customers(self) -> str:
        """The customers of any version of a row of which a correction became known."""
        if not self.corrected:
            return ""
        source, key = self.base.source, self.base.version_key
        since = f"{self.base.correction_flag} AND known_at > $earlier_cutoff AND known_at <= $cutoff"
        keys = f"SELECT {key} FROM {source} WHERE {since}"
        customers = f"SELECT DISTINCT customer_id FROM {source} WHERE customer_id IS NOT NULL AND {key} IN ({keys})"
        return f"corrected AS (\n{customers}\n),"

    def _computed_again(self) -> str:
        """Their rows, from all of theirs."""
        if not self.corrected:
            return ""
        theirs = f"(SELECT * FROM {self.base.source} WHERE customer_id IN (SELECT customer_id FROM corrected))"
        return f"""UNION ALL
SELECT corrected.customer_id, again.* EXCLUDE customer_id, again.customer_id IS NOT NULL AS stays
FROM corrected LEFT JOIN (
{self._grouped(self._rows(theirs))}
) AS again ON again.customer_id = corrected.customer_id
"""

    def _grouped(self, rows: str, aggregates: Mapping[str, str] | None = None) -> str:
        """The rows' aggregates per customer, by name; default what is stored."""
        chosen = {column.name: column.text for column in self.columns} if aggregates is None else aggregates
        listed = "".join(f",\n    {text} AS {name}" for name, text in chosen.items())
        return f"SELECT\n    customer_id{listed}\nFROM (\n{rows}\n)\nGROUP BY customer_id"
