"""The command that mends a command's own failure, whose finding names the command in place of a table."""

from datetime import date

import pytest

from athena_assets.monitoring.mending import Mender
from resources.findings import Finding

DAY = "2026-10-29"


def finding(command: str, partition: str, details: str = "") -> Finding:
    return Finding("error", "ERROR", command, partition, command, "Damaged", "it is broken", details=details)


@pytest.mark.parametrize(
    ("command", "partition", "expected"),
    [
        ("athena night", DAY, f"athena night {DAY}"),
        ("athena night", "2026-10-28", "athena night 2026-10-28 --current"),
        ("athena train", "2026-09-01", "athena train --month 2026-09"),
        ("athena train", "", "athena train"),
        ("athena run", "", "athena run --source simulator"),
    ],
)
def test_command_when_its_error_names_no_other_then_the_command_is_run_again(
    command: str, partition: str, expected: str
) -> None:
    mender = Mender("simulator", (), (date(2026, 10, 28),))
    assert mender.command(finding(command, partition)) == expected
    assert mender.command(finding(command, partition, "it is broken\n  next:     free the disk")) == expected


def test_command_when_its_error_names_one_then_that_one_is_the_answer() -> None:
    said = f"it was killed\n  next:     athena night {DAY} --current"
    assert Mender("simulator", (), ()).command(finding("athena night", DAY, said)) == f"athena night {DAY} --current"
