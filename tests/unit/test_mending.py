"""The command that mends a command's own failure, whose finding names the command in place of a table."""

from datetime import date, datetime
from decimal import Decimal

import pytest

from athena_assets.monitoring.mending import Mender
from athena_assets.sources.deliveries import DeliveredFile, Delivery
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


def delivered(night: str) -> Delivery:
    day = date.fromisoformat(night)
    file = DeliveredFile(
        table="order_lines",
        path=f"/in/{night}.csv",
        sha256="",
        rows=1,
        rows_before=0,
        unparsed_rows=0,
        amount=Decimal(1),
    )
    return Delivery(
        delivery_id=f"shop-{night}",
        source="shop",
        kind="nightly",
        first_night=day,
        last_night=day,
        registered_at=datetime(2026, 10, 30),
        files=(file,),
    )


@pytest.mark.parametrize(
    ("asset", "said", "expected"),
    [
        (
            "raw.order_lines",
            f"next:     deliver it again\n  again:    athena load --night {DAY} /in/a.csv && athena night {DAY}",
            f"athena load --night {DAY} /in/a.csv && athena night {DAY}",
        ),
        (
            "raw.order_lines",
            f"next:     athena contracts accept-alias A && athena night {DAY}\n  again:    athena load B",
            f"athena contracts accept-alias A && athena night {DAY}",
        ),
        (
            "athena night",
            f"next:     athena load --night {DAY} FILES",
            f"athena load --night {DAY} /in/{DAY}.csv && athena night {DAY}",
        ),
        ("orders.orders", "next:     athena night 2026-10-27", f"athena night 2026-10-27 && athena night {DAY}"),
        ("predictions.churn_candidate", "next:     athena train churn", f"athena train churn && athena night {DAY}"),
        ("churn.evaluation", "next:     athena train churn", "athena train churn"),
    ],
    ids=["load_again", "alias", "never_came", "earlier_night", "champion", "no_night"],
)
def test_command_when_an_error_stopped_a_night_then_the_line_ends_with_that_night(
    asset: str, said: str, expected: str
) -> None:
    mender = Mender("shop", (delivered("2026-10-28"),), (date(2026, 10, 28),))
    assert mender.command(finding(asset, DAY, f"it is broken\n  {said}")) == expected
