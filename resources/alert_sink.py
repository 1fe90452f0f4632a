"""Where alerts go: the log, a file in the home, and whatever apprise reaches by the URLs of `ATHENA_ALERT_URLS`.

A URL holds a secret, so a channel is named by the URL's scheme and position, and what a transport says of its failure
is kept without any part of the URL.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from athena_assets.errors import AthenaError
from athena_assets.wording import one_line, printable
from resources.settings import Settings

LOG, FILE = "log", "file"
SECONDS = 20
"""Longest that one transport is waited for."""

_TYPES = {"ERROR": "failure", "WARN": "warning"}

SHORTEST_SECRET = 4
"""Pieces of a URL below this length are left in what a transport says: they are ports and words like "to"."""


class AlertNotSent(AthenaError):
    """A transport did not take a message; it is tried again at the next occasion."""


@dataclass(frozen=True)
class Message:
    """One alert as it is sent."""

    title: str
    text: str
    severity: Literal["ERROR", "WARN"]
    over: bool
    """Whether it says that the alert is resolved."""
    document: Mapping[str, object]
    """The same for a program."""


def _to_standard_error(line: str) -> None:
    sys.stderr.write(f"{line}\n")


@dataclass(frozen=True)
class AlertSink:
    """The channels of one home."""

    folder: Path
    urls: Sequence[str] = field(default=(), repr=False)
    say: Callable[[str], None] = _to_standard_error
    """Takes one line of the log."""

    @classmethod
    def of(cls, settings: Settings, say: Callable[[str], None] = _to_standard_error) -> "AlertSink":
        """The channels that the settings name."""
        text = settings.alert_urls.get_secret_value()
        urls: Sequence[str] = ()
        if text.strip():
            from apprise.utils.parse import parse_urls

            urls = parse_urls(text) or (text,)
        return cls(settings.home / "monitoring", tuple(urls), say)

    @property
    def channels(self) -> tuple[str, ...]:
        """Names of the channels; none of them shows a secret."""
        return (LOG, FILE, *self._transports())

    def _transports(self) -> dict[str, str]:
        return {f"{_scheme(url)} {position}": url for position, url in enumerate(self.urls, 1)}

    def send(self, channel: str, message: Message) -> None:
        """Send a message on one channel; raises `AlertNotSent` saying why it did not arrive."""
        message = replace(message, title=one_line(message.title), text=printable(message.text))
        try:
            if channel == LOG:
                self.say(message.title)
            elif channel == FILE:
                self._append(message)
            else:
                _notify(self._transports()[channel], channel, message)
        except OSError as error:
            raise AlertNotSent(
                f"the alert could not be written by the channel {channel}",
                expected=f"a folder that can be written at {self.folder}",
                found=str(error),
                next_command="athena doctor, then athena alerts send",
            ) from error

    def _append(self, message: Message) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        line = json.dumps(message.document, ensure_ascii=False, default=str)
        # One write each in append mode, so that two processes do not cut into each other's lines.
        for name, text in (("alerts.log", f"{message.title}\n{message.text}\n\n"), ("alerts.jsonl", f"{line}\n")):
            with (self.folder / name).open("ab", buffering=0) as file:
                file.write(text.encode())


def _notify(url: str, channel: str, message: Message) -> None:
    import apprise

    kind = apprise.NotifyType("success" if message.over else _TYPES[message.severity])
    transport = apprise.Apprise.instantiate(url, suppress_exceptions=True)
    if transport is None:
        raise _not_sent(channel, "apprise knows no transport for this URL")
    sender = apprise.Apprise()
    sender.add(transport)
    said: list[str] = []
    result = sender.notify(
        message.text,
        title=message.title,
        notify_type=kind,
        body_format=apprise.NotifyFormat.TEXT,
        timeout=SECONDS,
        log_callback=lambda entry, _: said.append(str(entry.message)),
        log_level=logging.WARNING,
    )
    if not result:
        raise _not_sent(channel, _without_secrets("; ".join(said), url) or "it did not answer in time")


def _not_sent(channel: str, why: str) -> AlertNotSent:
    return AlertNotSent(
        f"the alert was not taken by the channel {channel}",
        expected="a transport of ATHENA_ALERT_URLS that answers",
        found=why,
        next_command="mend the URL or its service, then athena alerts send",
    )


def _scheme(url: str) -> str:
    name, separator, _ = url.partition("://")
    return name if separator and name.isalnum() else "url"


def _without_secrets(text: str, url: str) -> str:
    """The text without any piece of the URL after its scheme, as it is written there and decoded."""
    pieces = re.split(r"[/:@?&=,]+", url.partition("://")[2])
    for piece in sorted({*pieces, *map(unquote, pieces)}, key=len, reverse=True):
        if len(piece) >= SHORTEST_SECRET:
            text = text.replace(piece, "***")
    return text
