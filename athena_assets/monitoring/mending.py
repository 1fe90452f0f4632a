"""The one command that mends a finding: what the alert, `athena why` and the runbooks tell the engineer on call.

A fault of what was delivered is mended by its corrected delivery and the nights that read it; a fault of what was
computed by computing it again; a named error by what it says itself.
"""

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from athena_assets.errors import AthenaError
from athena_assets.monitoring.grouping import REFUSALS
from athena_assets.nights import Night
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.landing import Landing
from resources.findings import Finding

INTAKE = ("raw", "orders")
"""Schemas whose rows are what was delivered, so that only another delivery mends them."""

OF_NIGHTS = ("features", "predictions", "ops", "cost", "athena night")
"""Schemas, and the command, whose partitions are nights and whose rows are computed."""

_AGAIN = re.compile(r"^\s*again:\s+(?P<command>athena .*)$", re.MULTILINE)
_NIGHT = re.compile(r"--night (?P<night>\d{4}-\d{2}-\d{2})")
_COMMAND = re.compile(r"^\s*next:\s+(?P<command>athena .*)$", re.MULTILINE)
_PROSE = re.compile(r",? (?:to |and then |answers |if |or |for earlier |\().*$|, .*$")
"""What an error says after its command, for a person."""


@dataclass(frozen=True)
class Mender:
    """What mending needs to know of a home.

    published: the nights that have been published, ascending; a night among them is made anew only when told to.
    """

    source: str
    deliveries: tuple[Delivery, ...]
    published: tuple[date, ...]

    def command(self, finding: Finding, delivery: Delivery | None = None) -> str:
        """The shell line that mends a finding once its cause is gone.

        delivery: the one that brought the offending rows; default: the last that covers the finding's night.
        """
        schema = finding.asset.partition(".")[0]
        if finding.kind == "error":
            return self._of_error(finding, schema)
        if finding.rule == f"{finding.check}.overtaken":
            return self._again(finding.partition, schema)
        if finding.rule == f"{finding.check}.unwritten":
            return self._first_time(finding, schema)
        if finding.rule == f"{finding.check}.missing" or finding.rule == f"{finding.check}.outdated":
            return "athena check --outdated"
        if schema in INTAKE:
            brought = delivery or self.delivery_of(finding)
            if brought is not None:
                return " && ".join([brought.replacing_command(files_of(brought)), *self._runs_from(brought)])
        return self._again(finding.partition, schema)

    def delivery_of(self, finding: Finding) -> Delivery | None:
        """The last delivery that covers a finding's night; of the history, the last bulk delivery."""
        if finding.partition:
            covering = [each for each in self.deliveries if each.covers(date.fromisoformat(finding.partition))]
        else:
            covering = [each for each in self.deliveries if each.kind == "bulk"]
        return covering[-1] if covering else None

    def _of_error(self, finding: Finding, schema: str) -> str:
        if finding.rule in REFUSALS:
            return f"athena why {finding.asset} {finding.partition}".strip()
        said, again = _COMMAND.search(finding.details), _AGAIN.search(finding.details)
        if said is not None and "&&" in said["command"]:
            return self.then(said["command"], finding.asset, finding.partition)
        if again is not None:
            return again["command"]
        if said is None:
            return self._again(finding.partition, schema)
        command = _PROSE.sub("", said["command"]).strip()
        return self.then(command.replace("FILES", self._files_expected(command)), finding.asset, finding.partition)

    def then(self, command: str, asset: str, partition: str) -> str:
        """A command, and after it the night of an asset that could not go on, unless the command runs that night."""
        of_night = partition and asset.partition(".")[0] in (*INTAKE, *OF_NIGHTS)
        if not of_night or f"athena night {partition}" in command:
            return command
        return f"{command} && {self._night(date.fromisoformat(partition))}"

    def _files_expected(self, command: str) -> str:
        """Where the files of a night would be if they came as the last ones did; FILES where that cannot be told."""
        named, nightly = _NIGHT.search(command), [each for each in self.deliveries if each.kind == "nightly"]
        if named is None or not nightly:
            return "FILES"
        last = nightly[-1]
        files = [file.replace(str(last.last_night), named["night"]) for file in files_of(last)]
        return "FILES" if files == files_of(last) else shlex.join(files)

    def _first_time(self, finding: Finding, schema: str) -> str:
        """What writes a partition that has never been written."""
        night = schema in INTAKE and finding.partition
        if night and self.delivery_of(finding) is None:
            load = f"athena load --night {finding.partition} FILES"
            return f"{load.replace('FILES', self._files_expected(load))} && athena night {finding.partition}"
        return self._again(finding.partition, schema)

    def _again(self, partition: str, schema: str) -> str:
        if schema.startswith("athena "):
            return self._command_again(schema, partition)
        if not partition:
            return f"athena run --source {shlex.quote(self.source)}"
        day = date.fromisoformat(partition)
        if schema not in (*INTAKE, *OF_NIGHTS):
            return f"athena train {schema} --month {day:%Y-%m}"
        return self._night(day)

    def _command_again(self, command: str, partition: str) -> str:
        """A command that failed by itself, whose finding names it in place of a table."""
        if partition and command == "athena night":
            return self._night(date.fromisoformat(partition))
        if partition and command == "athena train":
            return f"athena train --month {partition[:7]}"
        return f"athena run --source {shlex.quote(self.source)}" if command == "athena run" else command

    def _runs_from(self, delivery: Delivery) -> list[str]:
        if delivery.kind == "bulk":
            return [f"athena run --source {shlex.quote(self.source)}"]
        later = [day for day in self.published if day > delivery.last_night]
        return [self._night(day) for day in (delivery.last_night, *later)]

    def _night(self, day: date) -> str:
        # A published night keeps what it used, wrong orders included, unless it is told otherwise.
        return f"athena night {Night(day).key}{' --current' if day in self.published else ''}"


def mender_of(home: Path, source: str) -> Mender:
    """The mender of a home, from its manifests and published files."""
    nights = {path.name.removeprefix("night=") for path in (home / "published" / "predictions").glob("*/night=*")}
    try:
        deliveries = Landing.of(home).deliveries(source)
    except AthenaError:
        # A damaged manifest is a finding of its own; what mends it needs none of them.
        deliveries = ()
    return Mender(
        source=source,
        deliveries=deliveries,
        published=tuple(sorted(date.fromisoformat(night) for night in nights)),
    )


def files_of(delivery: Delivery) -> Sequence[str]:
    """What was delivered, as one would name it on a command line: a folder of its own, or the files."""
    paths = [Path(file.path) for file in delivery.files]
    folders = {path.parent for path in paths}
    if len(paths) > 1 and len(folders) == 1:
        return [str(folders.pop())]
    return [str(path) for path in paths]
