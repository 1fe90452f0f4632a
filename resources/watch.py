"""Notices commands that were killed: a command says that it is under way, and whoever looks next misses its process.

A killed process writes nothing down, and neither does a machine that stops; what it leaves is its name.
"""

from datetime import datetime
from pathlib import Path

from athena_assets.errors import AthenaError
from resources.findings import Finding, Findings
from resources.outbox import Outbox, stamp
from resources.processes import is_gone, this_process_name


class CommandKilled(AthenaError):
    """A command's process was killed, or the machine stopped under it."""


class Watch:
    """Who is at work in one home. Every method raises `OutboxUnavailable` where the outbox cannot be used."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._outbox = Outbox(home)

    def begin(self, command: str, partition: str, line: str, at: datetime) -> None:
        """This process is at work now.

        line: the command line as it was typed, which is what will be run again.
        """
        with self._outbox.opened() as store:
            store.execute(
                "INSERT OR REPLACE INTO under_way VALUES (?, ?, ?, ?, ?)",
                (this_process_name(), command, partition, line, stamp(at)),
            )

    def end(self) -> None:
        """This process has ended its work, well or not."""
        if self._outbox.exists():
            with self._outbox.opened() as store:
                store.execute("DELETE FROM under_way WHERE process = ?", (this_process_name(),))

    def note_killed(self, at: datetime) -> None:
        """Leave a finding for every command whose process is gone."""
        if not self._outbox.exists():
            return
        with self._outbox.opened(write=False) as store:
            gone = [row for row in store.execute("SELECT * FROM under_way").fetchall() if is_gone(row["process"])]
        if not gone:
            return
        found = [_finding(row["command"], row["partition"], row["line"]) for row in gone]
        Findings(self.home).observe(found, looked_at=[], at=at)
        with self._outbox.opened() as store:
            store.executemany("DELETE FROM under_way WHERE process = ?", [(row["process"],) for row in gone])


def _finding(command: str, partition: str, line: str) -> Finding:
    error = CommandKilled(
        f"{command} {partition}".rstrip() + " was killed, or the machine stopped",
        expected="the command to end by itself",
        found="its process is gone; what was under way was undone, and what was published before stays as it is",
        next_command=line,
    )
    return Finding(
        kind="error",
        severity="ERROR",
        asset=command,
        partition=partition,
        check=command,
        rule=type(error).__name__,
        summary=error.what,
        details=str(error),
    )
