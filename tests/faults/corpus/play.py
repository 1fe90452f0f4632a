"""Plays one fault on a copy of a template home and writes down what everybody saw.

    python -m tests.faults.corpus.play <fault> <template> <folder of its own disk> <night>

As a program it prints the observation as JSON: a fault of the disk is played in a mount namespace of its own.
"""

import json
import re
import shlex
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.corpus.fault import Fault, Scene
from tests.faults.corpus.shops import Published, copied, published

if TYPE_CHECKING:
    from tests.conftest import Answer, Command


@dataclass(frozen=True)
class Observation:
    """What one fault led to."""

    code: int
    """Exit code of the command that met it."""
    said: str
    """What that command said."""
    before: Published
    spoiled: Published
    """After the fault and before anybody mended anything."""
    alerts: list[dict[str, Any]]
    """The open alerts then."""
    told: list[str]
    """The messages that had gone out by then."""
    command: str
    """The line that `athena why` printed."""
    codes: list[int]
    """Exit codes of that line's commands."""
    answers: str
    """What they said."""
    mended: Published
    """After the line was executed."""
    alerts_left: list[dict[str, Any]]
    """The alerts still open after that."""

    @property
    def caught_by(self) -> tuple[str, ...]:
        """The causes that the alerts name: `table: rule`, or the class of an error."""
        roots = [root for alert in self.alerts for root in alert["roots"]]
        return tuple(
            dict.fromkeys(
                root["rule"] if root["kind"] == "error" else f"{root['asset']}: {root['rule']}" for root in roots
            )
        )


def play(fault: Fault, template: Path, folder: Path, night: str, run: "Command") -> Observation:
    """Let the fault happen on the night, ask what is wrong, mend it as told, and look again."""
    said: list[str] = []

    def heard(home: Path, *arguments: object) -> "Answer":
        answer = run(home, *arguments)
        said.append(answer.err)
        return answer

    scene = Scene(template, copied(template, folder), night, heard)
    before = published(scene.home)
    if fault.spoil is not None:
        fault.spoil(scene.delivered())
    answer = fault.provoke(scene)
    spoiled, alerts, messages = (
        published(scene.home),
        open_alerts(scene),
        told(scene.home, "".join([*said, answer.err if answer.err not in said else ""])),
    )
    command = "" if fault.harmless else printed_command(scene)
    fault.mend(scene)
    answers = executed(scene, command)
    return Observation(
        code=answer.code,
        said=answer.err,
        before=before,
        spoiled=spoiled,
        alerts=alerts,
        told=messages,
        command=command,
        codes=[each.code for each in answers],
        answers="".join(each.err for each in answers),
        mended=published(scene.home),
        alerts_left=open_alerts(scene),
    )


def open_alerts(scene: Scene) -> list[dict[str, Any]]:
    """`athena alerts --json`, the open ones."""
    answer = scene.athena("alerts", "--json")
    assert answer.code == 0, answer.err
    alerts: list[dict[str, Any]] = json.loads(answer.out)
    return [alert for alert in alerts if alert["resolved_at"] is None]


def told(home: Path, said: str) -> list[str]:
    """The messages that went out: those of the file of alerts, or of the log where no file could be written."""
    path = home / "monitoring" / "alerts.jsonl"
    if path.exists():
        messages = map(json.loads, path.read_text(encoding="utf-8").splitlines())
        return [f"{each['occasion']}: {each['title']}" for each in messages if each["occasion"] != "resolved"]
    return [line for line in said.splitlines() if re.match(r"(ERROR|WARN) alert \d+: (?!resolved: )", line)]


def printed_command(scene: Scene) -> str:
    """The line that `athena why` prints for whoever has to mend it."""
    answer = scene.athena("why", "--json")
    assert answer.code == 1, f"nothing is wrong: {answer.out}{answer.err}"
    command: str = json.loads(answer.out)["next"]
    return command


def executed(scene: Scene, line: str) -> list["Answer"]:
    """Run a printed line as a shell would: `athena ... && athena ...`, each only after the one before succeeded."""
    answers: list[Answer] = []
    for command in filter(None, line.split(" && ")):
        program, *arguments = shlex.split(command)
        assert program == "athena", command
        answers.append(scene.athena(*arguments))
        if answers[-1].code:
            break
    return answers


def main() -> None:
    from tests.conftest import run_command
    from tests.faults.corpus import FAULTS, disk

    name, template, folder, night = sys.argv[1:]
    (fault,) = [each for each in FAULTS if each.name == name]
    disk.mount(Path(folder))
    seen = play(fault, Path(template), Path(folder) / "shop", night, run_command)
    sys.stdout.write(json.dumps(asdict(seen)) + "\n")


if __name__ == "__main__":
    main()
