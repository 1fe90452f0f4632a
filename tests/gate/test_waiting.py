"""What a table waits for, by the gate's own gaps: which partition is meant, and what is wrong with what it reads."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from athena_assets.monitoring.alerting import Knowledge
from athena_assets.monitoring.waiting import partition_named, waits_for
from checks.needs import GatePlan
from resources.findings import Finding, Findings
from resources.settings import Settings
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from tests.gate.conftest import Shop

DAY, NEXT = "2026-01-05", "2026-01-06"
BAD, UNJUDGEABLE = -1, 13
READERS = {"shop.raw": {"shop.clean", "shop.report", "shop.monthly"}, "shop.clean": {"shop.report", "shop.monthly"}}
KNOWLEDGE = Knowledge(
    downstream_of=lambda asset: READERS.get(asset, set()), is_monthly=lambda asset: asset == "shop.monthly"
)


def waiting(shop: Shop, table: str, partition: str | None = None) -> tuple[str, list[Finding]]:
    plan = GatePlan(shop.definitions.resolve_asset_graph())
    findings = [each.finding for each in Findings(shop.home).open()]
    now = datetime.now(UTC).replace(tzinfo=None)
    with Warehouse.of(Settings(home=shop.home)).read() as connection:  # type: ignore[call-arg]
        return waits_for(connection, plan, table, partition, findings, KNOWLEDGE, at=now)


def test_waits_for_when_a_day_is_refused_then_that_day_is_meant_and_its_rule_is_named(shop: Shop) -> None:
    for day, price in ((DAY, BAD), (NEXT, 1)):
        shop.price("raw", day, price)
        shop.run("raw", "clean", day=day)
    for table in ("shop.clean", "shop.report"):
        partition, found = waiting(shop, table)
        assert partition == DAY
        assert [(each.asset, each.partition, each.rule) for each in found] == [("shop.raw", DAY, "price.allowed")]
    assert waiting(shop, "shop.clean", NEXT) == (NEXT, [])


def test_waits_for_when_a_check_broke_off_then_its_error_is_named(shop: Shop) -> None:
    shop.price("raw", DAY, UNJUDGEABLE)
    shop.run("raw", "clean", day=DAY)
    _, found = waiting(shop, "shop.clean", DAY)
    assert [(each.kind, each.asset, each.partition) for each in found] == [("error", "shop.raw", DAY)]


def test_waits_for_when_nothing_was_judged_then_the_first_of_what_is_read_is_named(shop: Shop) -> None:
    shop.run("stock")
    partition, found = waiting(shop, "shop.report", DAY)
    assert partition == DAY
    assert [(each.asset, each.rule.rpartition(".")[2]) for each in found] == [("shop.raw", "unwritten")]


def test_waits_for_when_a_month_holds_the_refused_day_then_the_month_is_meant(shop: Shop) -> None:
    shop.price("raw", DAY, BAD)
    shop.run("raw", "clean", day=DAY)
    assert waiting(shop, "shop.monthly")[0] == "2026-01-01"


def test_waits_for_when_nothing_is_wrong_then_the_last_partition_is_meant(shop: Shop) -> None:
    for day in (DAY, NEXT):
        shop.run("raw", "clean", day=day)
    assert waiting(shop, "shop.clean") == (NEXT, [])
    assert waiting(shop, "shop.report") == ("", []), "it has never been written"


@pytest.mark.parametrize(
    ("table", "typed", "meant"), [("shop.stock", DAY, ""), ("shop.stock", None, ""), ("shop.raw", None, None)]
)
def test_partition_named_when_a_table_has_none_then_it_is_the_table(
    table: str, typed: str | None, meant: str | None, shop: Shop
) -> None:
    assert partition_named(GatePlan(shop.definitions.resolve_asset_graph()), table, typed) == meant
