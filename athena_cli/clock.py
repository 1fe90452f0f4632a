"""The clock on the retailer's wall, as commands read it; a replay shows them another hour."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_SHOWN: ContextVar[datetime | None] = ContextVar("shown", default=None)


def retailers_now(timezone: str) -> datetime:
    """Now, as a naive wall-clock time of the retailer's zone."""
    shown = _SHOWN.get()
    return shown if shown is not None else datetime.now(UTC).astimezone(ZoneInfo(timezone)).replace(tzinfo=None)


def utc_now() -> datetime:
    """Now, as a naive UTC time: what records and the gate compare with."""
    return datetime.now(UTC).replace(tzinfo=None)


@contextmanager
def showing(moment: datetime) -> Iterator[None]:
    """Let every command in the body find this moment on the retailer's wall. What runs record stays the machine's."""
    token = _SHOWN.set(moment)
    try:
        yield
    finally:
        _SHOWN.reset(token)
