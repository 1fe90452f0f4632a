"""Delivers what is outstanding: from the findings to alerts, from alerts to messages, from messages to the channels."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from athena_assets.monitoring.alerting import Alert, Knowledge, describe, group_with, headline
from athena_assets.predictions.status import mark_home
from resources.alert_book import AlertBook, Claim
from resources.alert_sink import AlertNotSent, AlertSink, Message


@dataclass(frozen=True)
class Delivery:
    """One message that was tried."""

    alert: Alert
    claim: Claim
    failure: str = ""
    """Why it did not arrive; it is due again."""


def _clock() -> datetime:
    return datetime.now(UTC)


def deliver(
    home: Path,
    sink: AlertSink,
    knowledge: Knowledge,
    *,
    remind_after: timedelta,
    at: datetime,
    clock: Callable[[], datetime] = _clock,
) -> list[Delivery]:
    """Send every message that is due on every channel; safe to call at any time and from several processes.

    clock: how late it is before each message, because transports that do not answer take their time.
    A channel that fails neither stops the others nor raises. Raises `OutboxUnavailable`.
    """
    book = AlertBook(home)
    claims = book.settle(group_with(knowledge), channels=sink.channels, remind_after=remind_after, at=at)
    # Readers learn of a refused night beside what they read, at the moment in which its owner does.
    mark_home(home, home / "published")
    held = (book.renew(claim, clock()) for claim in claims)
    return [_deliver(book, sink, knowledge, claim, at) for claim in held if claim is not None]


def open_alerts(home: Path, knowledge: Knowledge, *, resolved: bool = False, at: datetime) -> Sequence[Alert]:
    """The alerts as they stand, oldest first, without telling anybody; raises `OutboxUnavailable`."""
    book = AlertBook(home)
    book.settle(group_with(knowledge), channels=(), remind_after=timedelta.max, at=at)
    return [describe(each, knowledge) for each in book.alerts(resolved=resolved)]


def _deliver(book: AlertBook, sink: AlertSink, knowledge: Knowledge, claim: Claim, at: datetime) -> Delivery:
    alert = describe(claim.alert, knowledge)
    message = Message(
        title=headline(alert, claim),
        text=alert.text,
        severity=alert.severity,
        over=claim.occasion == "resolved",
        document={"sent_at": at.isoformat(), "occasion": claim.occasion, **alert.document()},
    )
    try:
        sink.send(claim.channel, message)
    except AlertNotSent as error:
        book.not_told(claim, error.found or error.what)
        return Delivery(alert, claim, error.found or error.what)
    book.told(claim, at)
    return Delivery(alert, claim)
