"""What a night carries over to the next: every customer's aggregates of one table, and the SQL that moves them on.

Between two nights most customers only grow older. Of the others,

* those with a row that became known, or whose age crossed the edge of a window, lose from their counts and sums what
  such rows were worth and gain what they are worth now; extremes are merged with what came;
* those from whom a row was taken that an extreme may have stood on, because it left a window, have their extremes of
  such windows computed again; where rows are corrected, those of a corrected row everything.

Everything is exact, so the result is that of a full scan, to the bit. The method is the counting algorithm of A. Gupta,
I. S. Mumick and V. S. Subrahmanian, "Maintaining views incrementally", SIGMOD 1993, with recomputation where an
aggregate has no inverse.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from athena_assets.features.aggregates import DAYS_AGO, EXTREMES, AggregateCall
from athena_assets.features.base_table import BaseTable

_EARLIER = {"$as_of": "$earlier_as_of", "$cutoff": "$earlier_cutoff"}


@dataclass(frozen=True)
class CarriedColumn:
    """One stored column: an aggregate, or the number of values behind a sum, without which 0 and null are one."""

    name: str
    call: AggregateCall

    @property
    def text(self) -> str:
        """What is stored."""
        return f"coalesce({self.call.text}, 0)" if self.call.function == "sum" else self.call.text

    def moved(self, days: int) -> str:
        """Its value so many days later.

        Over `earlier` (the stored row), `went` and `came` (the touched rows as they were and as they are), `fresh`
        (those of them that could not be seen before), `bereft` (a customer from whom an extreme may have been taken)
        and `searched` (what is left to such a customer).
        """
        merged = self._merged(days)
        if not self.can_be_lost:
            return merged
        return f"CASE WHEN bereft.customer_id IS NULL THEN {merged} ELSE searched.{self.name} END"

    @property
    def can_be_lost(self) -> bool:
        """Whether it is an extreme of rows that leave a window."""
        return not self.call.adds_up and self.oldest is not None

    @property
    def oldest(self) -> int | None:
        """The greatest age of a row that counts; None where any age does."""
        return min((window.oldest for window in self.call.windows or () if window.oldest is not None), default=None)

    def _merged(self, days: int) -> str:
        stored = f"earlier.{self.name}"
        if self.call.adds_up:
            return f"coalesce({stored}, 0) + coalesce(came.{self.name}, 0) - coalesce(went.{self.name}, 0)"
        if self.call.is_top:
            if self.call.is_age:
                stored = f"list_transform({stored}, lambda age: age + {days})"
            # Of several extremes, one that crossed an edge would be counted twice: only what is new is merged.
            order = "ASC" if self.call.function == "min" else "DESC"
            both = f"list_sort(list_concat({stored}, fresh.{self.name}), '{order}')"
            return f"CASE WHEN fresh.{self.name} IS NULL THEN {stored} ELSE {both}[1:{self.call.arguments[1]}] END"
        stored = f"{stored} + {days}" if self.call.is_age else stored
        return EXTREMES[self.call.function].format(a=stored, b=f"came.{self.name}")


@dataclass(frozen=True)
class CarriedTable:
    """The aggregates of one base table; `aliases` are the compiler's names for them, by the text of the call."""

    base: BaseTable
    aliases: Mapping[str, str]
    corrected: bool

    @property
    def address(self) -> str:
        """Where they are stored, with the night in front."""
        return f"features.carried_{self.base.table}"

    @cached_property
    def calls(self) -> dict[str, AggregateCall]:
        """The calls by the compiler's alias."""
        return {alias: AggregateCall(text) for text, alias in self.aliases.items()}

    @property
    def can_be_carried(self) -> bool:
        """Whether every aggregate of the table can be moved on."""
        return self.base.event_time is not None and all(call.can_be_carried for call in self.calls.values())

    @cached_property
    def columns(self) -> tuple[CarriedColumn, ...]:
        """The stored columns: each call, and beside each sum the count of what it adds up."""
        stored = {call.text: CarriedColumn(alias, call) for alias, call in self.calls.items()}
        for alias, call in self.calls.items():
            if call.function == "sum":
                stored.setdefault(call.counting, CarriedColumn(f"{alias}_values", AggregateCall(call.counting)))
        return tuple(stored.values())

    def values(self) -> str:
        """A SELECT of `customer_id` and the compiler's aliases from what is stored for $night."""
        names = {column.call.text: column.name for column in self.columns}
        selected = [
            f"CASE WHEN {names[call.counting]} > 0 THEN {alias} END AS {alias}" if call.function == "sum" else alias
            for alias, call in self.calls.items()
        ]
        return f"SELECT customer_id, {', '.join(selected)} FROM {self.address} WHERE night = $night"

    def from_all_rows(self) -> str:
        """The columns from a scan of the whole table; parameters $as_of, $cutoff."""
        return self._grouped(self._rows())

    def from_earlier(self, days: int) -> str:
        """The columns from those stored for the night `days` before, and the rows that make a difference.

        Parameters $as_of, $cutoff, and $earlier_night, $earlier_as_of, $earlier_cutoff of that night.
        """
        now = self._rows("touched")
        then = now
        for name, earlier in _EARLIER.items():
            then = then.replace(name, earlier)
        columns = ",\n    ".join(f"{column.moved(days)} AS {column.name}" for column in self.columns)
        tops = tuple(column for column in self.columns if column.call.is_top)
        return f"""WITH touched AS (
{self._touched(days)}
),
as_it_was AS (
{then}
),
bereft AS (
{self._bereft(days)}
),
searched AS (
{self._searched()}
),
went AS (
{self._grouped("SELECT * FROM as_it_was")}
),
came AS (
{self._grouped(now)}
),
fresh AS (
{self._grouped(self._rows(f"(SELECT * FROM touched WHERE {self._is_fresh})"), tops)}
),
moved AS (
SELECT
    coalesce(earlier.customer_id, came.customer_id) AS customer_id,
    {columns}
FROM (SELECT * FROM {self.address} WHERE night = $earlier_night) AS earlier
FULL JOIN came ON came.customer_id = earlier.customer_id
LEFT JOIN went ON went.customer_id = earlier.customer_id
LEFT JOIN fresh ON fresh.customer_id = came.customer_id
LEFT JOIN bereft ON bereft.customer_id = earlier.customer_id
LEFT JOIN searched ON searched.customer_id = earlier.customer_id
)
{self._with_corrected("SELECT * FROM moved")}
"""

    def _rows(self, source: str | None = None) -> str:
        """The rows of the base table, read from another relation with the columns of its source."""
        text = self.base.text(corrected=self.corrected)
        return text if source is None else text.replace(f"FROM {self.base.source}", f"FROM {source}")

    @property
    def _is_fresh(self) -> str:
        """That the earlier night could not see a row."""
        return f"(known_at > $earlier_cutoff OR {self.base.event_time} >= $earlier_as_of)"

    def _touched(self, days: int) -> str:
        """The rows that are new or crossed the edge of a window; of a corrected table with every version of them."""
        event, key = self.base.event_time, self.base.version_key
        crossed = [
            f"({event} >= $as_of - INTERVAL {oldest} DAY AND {event} < $as_of - INTERVAL {youngest - 1} DAY)"
            for youngest, oldest in self._crossed(days)
        ]
        rows = f"FROM {self.base.source} WHERE known_at <= $cutoff AND ({' OR '.join([self._is_fresh, *crossed])})"
        if not self.corrected:
            return f"SELECT * {rows}"
        return f"SELECT * FROM {self.base.source} WHERE {key} IN (SELECT {key} {rows})"

    def _crossed(self, days: int) -> list[tuple[int, int]]:
        """The youngest and oldest age, inclusive and today, of rows that crossed an edge in so many days."""
        windows = {window for call in self.calls.values() for window in call.windows or ()}
        entered = {(w.youngest, w.youngest + days - 1) for w in windows if w.youngest is not None}
        left = {(w.oldest + 1, w.oldest + days) for w in windows if w.oldest is not None}
        return sorted(entered | left)

    def _bereft(self, days: int) -> str:
        """The customers of whom a row left a window that an extreme is taken over."""
        lost = " OR ".join(
            f"({column.call.condition} AND {DAYS_AGO} > {column.oldest - days})"
            for column in self.columns
            if column.can_be_lost and column.oldest is not None
        )
        return f"SELECT DISTINCT customer_id FROM as_it_was WHERE {lost or 'false'}"

    def _searched(self) -> str:
        """Their extremes, from all rows of theirs that count."""
        columns = tuple(column for column in self.columns if column.can_be_lost)
        theirs = "customer_id IN (SELECT customer_id FROM bereft)"
        if self.corrected:
            # Another version of a row may have been another customer's.
            return self._grouped(f"SELECT * FROM (\n{self._rows()}\n) WHERE {theirs}", columns)
        oldest = max((column.oldest or 0 for column in columns), default=0)
        young = f"{self.base.event_time} >= $as_of - INTERVAL {oldest} DAY"
        return self._grouped(self._rows(f"(SELECT * FROM {self.base.source} WHERE {young} AND {theirs})"), columns)

    def _with_corrected(self, moved: str) -> str:
        """The moved rows; in a corrected table the customers of a corrected row are computed from all of theirs."""
        if not self.corrected:
            return moved
        key = self.base.version_key
        # Of several versions the last counts, which may be one that the earlier night had seen.
        corrected = f"SELECT {key} FROM touched WHERE known_at <= $cutoff GROUP BY {key} HAVING count(*) > 1"
        customers = f"SELECT customer_id FROM touched WHERE customer_id IS NOT NULL AND {key} IN ({corrected})"
        again = self._grouped(f"SELECT * FROM (\n{self._rows()}\n) WHERE customer_id IN ({customers})")
        return f"{moved} WHERE customer_id NOT IN ({customers})\nUNION ALL BY NAME\n{again}"

    def _grouped(self, rows: str, columns: tuple[CarriedColumn, ...] | None = None) -> str:
        chosen = self.columns if columns is None else columns
        listed = "".join(f",\n    {column.text} AS {column.name}" for column in chosen)
        return f"SELECT\n    customer_id{listed}\nFROM (\n{rows}\n)\nGROUP BY customer_id"
