"""The night: Athena's unit of work, and the two times that it carries.

Night `D` covers events in `[D, D+1)`. Its `as_of` is `D+1 00:00`, event time; its `cutoff` is `D+1 02:00`,
the moment the job starts and therefore the last moment at which a fact can have been known. All three are
wall-clock times of the retailer (see docs/decisions/0002-business-local-time.md).
"""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from athena_assets.errors import InvalidArgument

NIGHT_STARTS_AT = time(2, 0)
"""Wall-clock time at which the night job starts, in the business time zone."""

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2999, 12, 31)
"""Between these lies every day that anybody means; beyond them a year before or a horizon after may be no date."""

A_DAY = f"a calendar day written YYYY-MM-DD, from {FIRST_DAY} to {LAST_DAY}, for instance 2011-08-31"
"""What is expected of a day that is typed."""


@dataclass(frozen=True, order=True)
class Night:
    """One business day and the job that closes it."""

    day: date

    @property
    def key(self) -> str:
        """The partition key, `YYYY-MM-DD`."""
        return self.day.isoformat()

    @property
    def as_of(self) -> datetime:
        """Event time: the night sees events strictly before it."""
        return datetime.combine(self.day + timedelta(days=1), time())

    @property
    def cutoff(self) -> datetime:
        """Knowledge time: the night sees rows with `known_at` at or before it."""
        return datetime.combine(self.day + timedelta(days=1), NIGHT_STARTS_AT)

    def plus(self, days: int) -> "Night":
        """The night `days` later (earlier when negative)."""
        return Night(self.day + timedelta(days=days))

    @classmethod
    def parse(cls, text: str) -> "Night":
        """The night of a `YYYY-MM-DD` key; raises `InvalidArgument` for anything else."""
        try:
            return cls(day_of(text))
        except ValueError:
            raise InvalidArgument(
                f"{text!r} is not a night",
                expected=A_DAY,
                found=repr(text),
            ) from None

    @classmethod
    def of_as_of(cls, as_of: datetime | date) -> "Night":
        """The night whose `as_of` is midnight at the start of the given day."""
        day = as_of.date() if isinstance(as_of, datetime) else as_of
        return cls(day - timedelta(days=1))


def day_of(text: str) -> date:
    """The day written `YYYY-MM-DD`; raises `ValueError` for one that nobody means, and for the other forms of ISO 8601.

    A key has one form.
    """
    day = date.fromisoformat(text)
    if day.isoformat() != text or not FIRST_DAY <= day <= LAST_DAY:
        raise ValueError(f"{text!r} is not {A_DAY}")
    return day
