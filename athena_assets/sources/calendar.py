"""The days on which a retailer trades, as its mapping declares them.

No rows on an open day is a fault of the delivery; no rows on a closed day is not. A retailer that declares nothing is
open every day. Rows on a closed day are no fault: somebody may work on a bank holiday.
"""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


class ClosedDays(BaseModel):
    """A stretch of closed days, both ends included, and why: `{from: 2010-12-24, to: 2011-01-03, because: ...}`."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")
    because: str = ""

    @model_validator(mode="after")
    def _in_order(self) -> "ClosedDays":
        if self.first > self.last:
            raise ValueError(f"`from` {self.first} lies after `to` {self.last}")
        return self


class TradingCalendar(BaseModel):
    """When a retailer is closed: weekdays, single days (`2010-08-30`) and stretches."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    closed_weekdays: tuple[Weekday, ...] = ()
    closed: tuple[date | ClosedDays, ...] = ()

    @field_validator("closed_weekdays")
    @classmethod
    def _open_at_all(cls, days: tuple[Weekday, ...]) -> tuple[Weekday, ...]:
        if len(set(days)) == len(WEEKDAYS):
            raise ValueError("at least one weekday on which the retailer trades")
        return days

    def is_open(self, day: date) -> bool:
        """Whether the retailer trades on a day."""
        if WEEKDAYS[day.weekday()] in self.closed_weekdays:
            return False
        return not any(
            closed.first <= day <= closed.last if isinstance(closed, ClosedDays) else closed == day
            for closed in self.closed
        )
