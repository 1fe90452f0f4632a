"""The scenarios that a command can bring about, through Dagster's own command line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from dagster._cli import create_dagster_cli

if TYPE_CHECKING:
    from tests.gate.conftest import Shop

SERVED = Path(__file__).with_name("served.py")
DAY, NEXT = "2026-01-05", "2026-01-06"
BAD, HIGH, UNJUDGEABLE = -1, 101, 13


def dagster(shop: Shop, *arguments: str) -> Result:
    """`dagster <arguments>` on the shop's home, whose verdicts are all that one command leaves for the next."""
    # In this process Dagster keeps a file that it has loaded: every home has one of its own name.
    code = shop.home / f"shop_{shop.home.parent.name}.py"
    code.write_text(f"import runpy\n\ndefs = runpy.run_path({str(SERVED)!r})['defs']\n")
    env = {"ATHENA_HOME": str(shop.home), "DAGSTER_HOME": ""}
    return CliRunner().invoke(create_dagster_cli(), [*arguments, "-f", str(code)], env=env)


def materialize(shop: Shop, tables: Sequence[str], day: str = DAY) -> Result:
    """`dagster asset materialize` of tables for a day."""
    chosen = " or ".join(f'key:"shop/{table}"' for table in tables)
    return dagster(shop, "asset", "materialize", "--select", chosen, "--partition", day)


def execute(shop: Shop, job: str, day: str = DAY) -> Result:
    """`dagster job execute` of a job for a day."""
    return dagster(shop, "job", "execute", "-j", job, "--tags", f'{{"dagster/partition": "{day}"}}')


def stands(shop: Shop, table: str, day: str = DAY) -> bool:
    """Whether a partition has been written."""
    rows = shop.rows(f"SELECT 1 FROM gate.materialisation WHERE asset = 'shop.{table}' AND partition = '{day}'")
    return bool(rows)


def test_job_when_a_blocking_check_fails_then_the_command_fails_and_nothing_downstream_is_made(shop: Shop) -> None:
    shop.price("raw", DAY, BAD)
    assert execute(shop, "day").exit_code == 1
    assert stands(shop, "raw")
    assert not stands(shop, "clean")
    assert execute(shop, "day", NEXT).exit_code == 0
    assert stands(shop, "report", NEXT)


@pytest.mark.parametrize(
    ("price", "said"),
    [
        (BAD, "shop.raw 2026-01-05: consistency failed: price.allowed: price is below 0 (1 rows, limit 0)"),
        (UNJUDGEABLE, "shop.raw 2026-01-05: completeness missing"),
    ],
)
def test_later_command_when_its_upstream_failed_or_could_not_be_judged_then_it_says_why_and_fails(
    shop: Shop, caplog: pytest.LogCaptureFixture, price: int, said: str
) -> None:
    shop.price("raw", DAY, price)
    assert materialize(shop, ["raw"]).exit_code == 1
    refused = materialize(shop, ["clean", "report"])
    assert refused.exit_code == 1
    assert said in refused.output + caplog.text
    assert not stands(shop, "clean")


def test_later_command_when_its_upstream_only_warned_then_it_is_made(shop: Shop) -> None:
    shop.price("raw", DAY, HIGH)
    assert materialize(shop, ["raw"]).exit_code == 0
    assert materialize(shop, ["clean"]).exit_code == 0


def test_job_without_checks_when_run_then_it_stops_after_its_first_table(shop: Shop) -> None:
    assert execute(shop, "unchecked").exit_code == 1
    assert stands(shop, "raw")
    assert not stands(shop, "clean")


def test_later_command_when_its_upstream_was_made_again_unchecked_then_it_is_refused(shop: Shop) -> None:
    assert materialize(shop, ["raw", "clean"]).exit_code == 0
    execute(shop, "unchecked")
    assert materialize(shop, ["clean"]).exit_code == 1


def test_later_command_when_one_day_failed_and_the_next_passed_then_only_the_next_is_made(shop: Shop) -> None:
    shop.price("raw", DAY, BAD)
    assert materialize(shop, ["raw"]).exit_code == 1
    assert materialize(shop, ["raw"], NEXT).exit_code == 0
    assert materialize(shop, ["clean"]).exit_code == 1
    assert materialize(shop, ["clean"], NEXT).exit_code == 0
    assert (stands(shop, "clean"), stands(shop, "clean", NEXT)) == (False, True)


def test_command_when_a_check_inside_the_asset_failed_then_later_ones_are_refused(shop: Shop) -> None:
    assert materialize(shop, ["raw"]).exit_code == 0
    shop.price("inside", DAY, BAD)
    assert materialize(shop, ["inside", "inside_report"]).exit_code == 1
    assert stands(shop, "inside")
    assert materialize(shop, ["inside_report"]).exit_code == 1
    assert not stands(shop, "inside_report")


def test_command_when_one_of_two_tables_of_a_step_fails_then_the_readers_of_the_other_are_made(shop: Shop) -> None:
    assert materialize(shop, ["raw"]).exit_code == 0
    shop.price("left", DAY, BAD)
    assert materialize(shop, ["left", "right", "left_report", "right_report"]).exit_code == 1
    assert (stands(shop, "left_report"), stands(shop, "right_report")) == (False, True)


def test_range_when_one_day_of_it_is_bad_then_a_command_over_the_other_days_is_let_through(shop: Shop) -> None:
    shop.price("raw", DAY, BAD)
    whole = ["--partition-range", "2026-01-03...2026-01-07"]
    later = ["--partition-range", "2026-01-06...2026-01-07"]
    raw, clean = (["asset", "materialize", "--select", f'key:"shop/{table}"'] for table in ("raw", "clean"))
    assert dagster(shop, *raw, *whole).exit_code == 1
    assert dagster(shop, *clean, *whole).exit_code == 1
    assert dagster(shop, *clean, *later).exit_code == 0
    assert stands(shop, "clean", "2026-01-07")
