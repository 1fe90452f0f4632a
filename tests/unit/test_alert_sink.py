"""Channels: a real HTTP server and a real SMTP conversation at the other end, and no secret in what is left behind."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from resources.alert_sink import AlertNotSent, AlertSink, Message
from resources.settings import load_settings, settings_page

SECRET = "kept-under-the-hat"
MESSAGE = Message(
    title="ERROR alert 1: night 2026-10-29: raw.order_lines: amount is null",
    text="what:\n  raw.order_lines 2026-10-29: amount is null\nowner: order-data",
    severity="ERROR",
    over=False,
    document={"id": 1, "title": "naïve"},
)


@contextmanager
def web_hook(status: int) -> Iterator[tuple[int, list[dict[str, str]]]]:
    """A server that answers every POST with a status; yields its port and the bodies that it received."""
    received: list[dict[str, str]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(status)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing on standard error."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, received
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """A server that takes one mail by SMTP; yields its port and the lines that it was sent."""
    lines: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def converse() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb", buffering=0) as stream:
            stream.write(b"220 ready\r\n")
            answers = {"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}
            while line := stream.readline().decode().rstrip("\r\n"):
                lines.append(line)
                stream.write(answers.get(line.upper(), b"250 ok\r\n"))
                if line.upper() == "DATA":
                    while (text := stream.readline().decode().rstrip("\r\n")) != ".":
                        lines.append(text)
                    stream.write(b"250 taken\r\n")

    thread = threading.Thread(target=converse)
    thread.start()
    try:
        yield listener.getsockname()[1], lines
    finally:
        listener.close()
        thread.join(timeout=10)


def test_web_hook_when_it_answers_then_it_has_the_title_the_text_and_the_severity(tmp_path: Path) -> None:
    with web_hook(200) as (port, received):
        sink = AlertSink(tmp_path, (f"json://robot:{SECRET}@127.0.0.1:{port}/{SECRET}",))
        sink.send("json 1", MESSAGE)
    assert [(each["title"], each["message"], each["type"]) for each in received] == [
        (MESSAGE.title, MESSAGE.text, "failure")
    ]


@pytest.mark.parametrize("status", [403, 500])
def test_web_hook_when_it_refuses_then_the_failure_says_so_without_the_secret(tmp_path: Path, status: int) -> None:
    with web_hook(status) as (port, _):
        sink = AlertSink(tmp_path, (f"json://robot:{SECRET}@127.0.0.1:{port}/{SECRET}",))
        with pytest.raises(AlertNotSent, match=str(status)) as refused:
            sink.send("json 1", MESSAGE)
    assert SECRET not in str(refused.value)
    assert SECRET not in repr(sink)


def test_web_hook_when_nobody_listens_then_the_failure_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(AlertNotSent, match="json 1") as refused:
        AlertSink(tmp_path, (f"json://127.0.0.1:{port}",)).send("json 1", MESSAGE)
    # The transport names the host in its own words, and a host is part of the URL.
    assert "***" in str(refused.value)
    assert "127.0.0.1" not in str(refused.value)


def test_mail_when_the_server_takes_it_then_it_has_the_title_as_its_subject(tmp_path: Path) -> None:
    with mail_server() as (port, lines):
        url = f"mailto://127.0.0.1:{port}?from=athena@example.org&to=oncall@example.org&mode=insecure&format=text"
        AlertSink(tmp_path, (url,)).send("mailto 1", MESSAGE)
    assert any(line.upper() == "RCPT TO:<ONCALL@EXAMPLE.ORG>" for line in lines)
    assert any(line.startswith("Subject: ERROR alert 1: night 2026-10-29") for line in lines)


def test_files_when_written_then_one_is_for_a_person_and_one_for_a_program(tmp_path: Path) -> None:
    sink = AlertSink(tmp_path / "monitoring")
    sink.send("file", MESSAGE)
    sink.send("file", MESSAGE)
    assert (tmp_path / "monitoring" / "alerts.log").read_text() == f"{MESSAGE.title}\n{MESSAGE.text}\n\n" * 2
    lines = (tmp_path / "monitoring" / "alerts.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [MESSAGE.document] * 2


def test_files_when_what_is_told_would_act_then_only_its_escapes_are_written(tmp_path: Path) -> None:
    acting = replace(MESSAGE, title="ERROR \x1b[2J\nresolved", text="what: a\n  \x9b2J\u2028b")
    said: list[str] = []
    for channel in ("log", "file"):
        AlertSink(tmp_path, say=said.append).send(channel, acting)
    assert said == [r"ERROR \x1b[2J\nresolved"]
    written = (tmp_path / "alerts.log").read_text()
    assert written == said[0] + "\nwhat: a\n  \\u009b2J\\u2028b\n\n"


def test_files_when_the_folder_cannot_be_written_then_the_failure_is_named(tmp_path: Path) -> None:
    (tmp_path / "monitoring").write_text("in the way")
    with pytest.raises(AlertNotSent, match="channel file"):
        AlertSink(tmp_path / "monitoring").send("file", MESSAGE)


def test_urls_when_set_then_each_is_a_channel_and_no_secret_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATHENA_HOME", str(tmp_path))
    monkeypatch.setenv(
        "ATHENA_ALERT_URLS", f"json://a.example.org/{SECRET}, mailto://u:{SECRET}@b.example.org?to=c@d.org"
    )
    settings = load_settings()
    sink = AlertSink.of(settings)
    assert sink.channels == ("log", "file", "json 1", "mailto 2")
    for shown in (repr(settings), str(settings), settings.model_dump_json(), repr(sink), settings_page()):
        assert SECRET not in shown


@pytest.mark.parametrize("url", ["nonsense", "nosuchservice://token"])
def test_urls_when_no_transport_knows_one_then_sending_says_which_channel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    monkeypatch.setenv("ATHENA_HOME", str(tmp_path))
    monkeypatch.setenv("ATHENA_ALERT_URLS", url)
    sink = AlertSink.of(load_settings())
    with pytest.raises(AlertNotSent, match="no transport"):
        sink.send(sink.channels[-1], MESSAGE)
