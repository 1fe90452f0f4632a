"""Billing periods: calendar months in UTC.

A charge belongs to the month of the wall clock in which the resource was used; the business day that it
worked on is another matter (a backfill of October run in November costs November).
"""

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

from athena_assets.errors import InvalidArgument
from athena_assets.nights import FIRST_DAY, LAST_DAY, day_of


@dataclass(frozen=True, order=True)
class Month:
    """One calendar month, half-open: `[start, end)`."""

    year: int
    number: int

    @property
    def key(self) -> str:
        """`YYYY-MM`."""
        return f"{self.year:04d}-{self.number:02d}"

    @cached_property
    def start(self) -> datetime:
        """First moment of the month, UTC."""
        return datetime(self.year, self.number, 1, tzinfo=UTC)

    @cached_property
    def end(self) -> datetime:
        """First moment after the month, UTC."""
        return self.start + timedelta(days=monthrange(self.year, self.number)[1])

    @property
    def days(self) -> list[date]:
        """Every day of the month, in order."""
        count = monthrange(self.year, self.number)[1]
        return [self.start.date() + timedelta(days=offset) for offset in range(count)]

    @classmethod
    def of(cls, moment: datetime) -> "Month":
        """The month of an aware moment; a naive one is refused, because it names no moment."""
        require_utc(moment)
        moment = moment.astimezone(UTC)
        return cls(moment.year, moment.month)

    @classmethod
    def parse(cls, text: str) -> "Month":
        """The month of a `YYYY-MM` key; raises `InvalidArgument` for anything else."""
        try:
            first = day_of(f"{text}-01")
        except ValueError:
            raise InvalidArgument(
                f"{text!r} is not a month",
                expected=f"a calendar month written YYYY-MM, from {FIRST_DAY:%Y-%m} to {LAST_DAY:%Y-%m}",
                found=repr(text),
            ) from None
        return cls(first.year, first.month)


def require_utc(moment: datetime) -> datetime:
    """The moment itself, if it is aware; raises `InvalidArgument` for wall-clock time without a zone."""
    if moment.tzinfo is None:
        raise InvalidArgument(
            "cost is kept in UTC and cannot place a moment without a time zone",
            expected="an aware datetime",
            found=moment.isoformat(),
        )
    return moment
