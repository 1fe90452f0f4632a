"""An override lets exactly its scope through, for its time, and is seen wherever it is relied on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from checks import overrides
from checks.gate import OVERRIDE
from resources.settings import Settings
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from tests.gate.conftest import Shop

DAY, NEXT = "2026-01-05", "2026-01-06"
BAD = -1


def grant(
    shop: Shop,
    table: str = "shop.raw",
    first: str = DAY,
    last: str | None = None,
    *,
    check: str = overrides.EVERY_CHECK,
    ago: timedelta = timedelta(),
    lasting: timedelta = timedelta(hours=1),
) -> overrides.Override:
    with Warehouse.of(Settings(home=shop.home)).write() as connection:
        return overrides.grant(
            connection,
            asset=table,
            first_partition=first,
            last_partition=last or first,
            check=check,
            person="Ada",
            reason="the supplier confirmed the price",
            at=datetime.now(UTC).replace(tzinfo=None) - ago,
            lasting=lasting,
        )


@pytest.fixture
def bad(shop: Shop) -> Shop:
    """A shop with two bad days."""
    for day in (DAY, NEXT):
        shop.price("raw", day, BAD)
        assert not shop.run("raw", day=day).success
        assert shop.run("clean", day=day).made == set()
    return shop


def test_override_when_granted_then_the_reader_is_made_and_says_on_whose_word(bad: Shop) -> None:
    override = grant(bad)
    run = bad.run("clean", day=DAY)
    assert run.made == {"clean"}
    (event,) = run.result.get_asset_materialization_events()
    assert event.materialization.metadata[OVERRIDE].value == override.sentence()
    assert "overridden by Ada until" in override.sentence()
    assert bad.rows("SELECT override, asset, partition FROM gate.override_use") == [(override.id, "shop.clean", DAY)]


def test_override_when_granted_then_nothing_but_its_scope_is_let_through(bad: Shop) -> None:
    grant(bad, check="completeness")
    assert "consistency failed" in bad.run("clean", day=DAY).refused
    grant(bad, table="shop.clean")
    assert "consistency failed" in bad.run("clean", day=DAY).refused
    grant(bad, check="consistency")
    assert bad.run("clean", day=DAY).made == {"clean"}
    assert bad.run("clean", day=NEXT).made == set()


def test_override_when_of_a_range_then_its_days_are_let_through_and_no_other(bad: Shop) -> None:
    grant(bad, first="2026-01-01", last=DAY)
    assert bad.run("clean", day=DAY).made == {"clean"}
    assert bad.run("clean", day=NEXT).made == set()


@pytest.mark.parametrize(
    ("ago", "lasting"), [(timedelta(hours=2), timedelta(hours=1)), (timedelta(hours=-1), timedelta(hours=1))]
)
def test_override_when_it_has_expired_or_not_begun_then_it_lets_nothing_through(
    bad: Shop, ago: timedelta, lasting: timedelta
) -> None:
    grant(bad, ago=ago, lasting=lasting)
    assert bad.run("clean", day=DAY).made == set()


def test_override_when_revoked_then_it_lets_nothing_through(bad: Shop) -> None:
    override = grant(bad)
    with Warehouse.of(Settings(home=bad.home)).write() as connection:
        overrides.revoke(connection, override.id, person="Grace", at=datetime.now(UTC).replace(tzinfo=None))
    assert bad.run("clean", day=DAY).made == set()
    assert bad.rows("SELECT count(*) FROM gate.override_use") == [(0,)]


def test_override_when_the_check_fails_in_the_same_run_then_dagster_goes_on_and_the_check_says_why(shop: Shop) -> None:
    assert shop.run("stock").success
    override = grant(shop)
    shop.price("raw", DAY, BAD)
    shop.price("clean", DAY, 1)
    run = shop.run("raw", "clean", "report", day=DAY)
    assert run.success
    assert run.made == {"raw", "clean", "report"}
    failed = [each for each in run.result.get_asset_check_evaluations() if not each.passed]
    assert [(each.check_name, each.severity) for each in failed] == [("consistency", dg.AssetCheckSeverity.WARN)]
    assert failed[0].metadata[OVERRIDE].value == override.sentence()
    assert override.sentence() in str(failed[0].description)
    assert shop.rows("SELECT passed FROM gate.verdict WHERE asset = 'shop.raw' AND check_name = 'consistency'") == [
        (False,)
    ]
    used = shop.rows("SELECT asset FROM gate.override_use ORDER BY asset")
    assert used == [("shop.clean",), ("shop.report",)]


def test_override_when_a_range_has_one_day_that_it_covers_and_one_that_it_does_not_then_the_run_stops(
    shop: Shop,
) -> None:
    assert shop.run("stock").success
    grant(shop)
    for day in (DAY, NEXT):
        shop.price("raw", day, BAD)
    run = shop.run("raw", "clean", day="2026-01-04", to=NEXT)
    assert run.made == {"raw"}
    assert not run.success


def test_eager_asset_when_what_it_reads_is_overridden_then_it_is_requested(shop: Shop) -> None:
    assert shop.run("raw", day=DAY).success
    shop.requested()
    shop.price("clean", DAY, BAD)
    assert not shop.run("clean", day=DAY).success
    assert shop.requested() == {}
    grant(shop, table="shop.clean")
    assert shop.requested() == {"mail": {DAY}}


def test_override_when_of_every_check_then_it_lifts_none_that_nobody_evaluated(shop: Shop) -> None:
    """Where the columns are others, every other check is not evaluated: what it would say, nobody can answer for."""
    assert shop.run("raw", day=DAY).success
    shop.rows("ALTER TABLE shop.raw ADD COLUMN surplus BIGINT")
    override = grant(shop)
    checked = shop.run("raw", day=DAY, only_checks=True)
    assert not checked.success
    severities = {
        each.check_name: each.severity for each in checked.result.get_asset_check_evaluations() if not each.passed
    }
    assert severities["schema"] == dg.AssetCheckSeverity.WARN, "the failed check is let through"
    assert severities["consistency"] == dg.AssetCheckSeverity.ERROR
    refused = shop.run("clean", day=DAY)
    assert refused.made == set()
    assert f"shop.raw {DAY}, whose check completeness has no verdict" in refused.refused
    assert shop.rows("SELECT check_name, passed FROM gate.verdict WHERE asset = 'shop.raw'") == [("schema", False)]
    assert shop.rows(f"SELECT count(*) FROM gate.override_use WHERE override = {override.id}") == [(0,)]
