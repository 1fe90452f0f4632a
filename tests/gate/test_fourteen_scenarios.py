"""The fourteen scenarios measured on Dagster by itself, and what Athena makes of each.

The first line of a docstring is the scenario, the second what Dagster 1.13.27 does by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from tests.gate.conftest import Shop

DAY, NEXT = "2026-01-05", "2026-01-06"
BAD, HIGH, UNJUDGEABLE = -1, 101, 13
"""Prices that break a rule of severity ERROR, one of severity WARN, and that a rule cannot be evaluated at."""


def bad_day(shop: Shop, day: str, price: int = BAD, table: str = "raw") -> None:
    """A day whose table is made and fails its checks."""
    shop.price(table, day, price)
    run = shop.run(table, day=day)
    assert run.made == {table}


def test_reader_when_a_blocking_check_fails_in_the_same_run_then_it_is_not_made(shop: Shop) -> None:
    """A blocking check fails ERROR, same run.

    Dagster: downstream not run, run FAILURE.
    """
    shop.price("raw", DAY, BAD)
    run = shop.run("raw", "clean", "report", day=DAY)
    assert not run.success
    assert run.made == {"raw"}
    assert "shop/raw: consistency" in run.refused


def test_reader_when_a_check_inside_the_asset_fails_then_it_is_not_made_in_this_run_or_a_later_one(shop: Shop) -> None:
    """The same through `check_specs` inside the asset.

    Dagster: blocked; the asset is still recorded as materialised.
    """
    assert shop.run("raw", day=DAY).success
    shop.price("inside", DAY, BAD)
    run = shop.run("inside", "inside_report", day=DAY)
    assert not run.success
    assert run.made == {"inside"}
    later = shop.run("inside_report", day=DAY)
    assert later.made == set()
    assert "shop.inside 2026-01-05: consistency failed: price.allowed" in later.refused
    shop.price("inside", DAY, 1)
    assert shop.run("inside", "inside_report", day=DAY).made == {"inside", "inside_report"}


def test_reader_when_a_check_raises_then_it_is_not_made_in_this_run_or_a_later_one(shop: Shop) -> None:
    """A blocking check raises.

    Dagster: blocked.
    """
    shop.price("raw", DAY, UNJUDGEABLE)
    run = shop.run("raw", "clean", day=DAY)
    assert not run.success
    assert run.made == {"raw"}
    later = shop.run("clean", day=DAY)
    assert later.made == set()
    assert "shop.raw 2026-01-05: completeness missing" in later.refused
    assert "athena check --outdated" in later.refused


def test_reader_when_a_rule_of_severity_warn_fails_then_it_is_made_and_the_warning_is_kept(shop: Shop) -> None:
    """A blocking check fails with WARN.

    Dagster: not blocked. Athena: nothing that warns is a blocking check, so that the two cannot be mixed up.
    """
    shop.price("raw", DAY, HIGH)
    run = shop.run("raw", "clean", day=DAY)
    assert run.success
    (warned,) = [
        each
        for each in run.result.get_asset_check_evaluations()
        if not each.passed and each.asset_key.path[-1] == "raw"
    ]
    assert (warned.check_name, warned.severity, warned.blocking) == (
        "distribution_warnings",
        dg.AssetCheckSeverity.WARN,
        False,
    )
    assert shop.rows("SELECT rule FROM monitoring.check_history WHERE status = 'failed' AND asset = 'shop.raw'") == [
        ("price.usual",)
    ]
    assert shop.run("clean", day=DAY).success


def test_rule_when_its_severity_is_error_then_its_check_blocks_whatever_run_it_is_in(shop: Shop) -> None:
    """A non-blocking check fails ERROR.

    Dagster: not blocked, run SUCCESS. Athena: such a check cannot be declared, its severity says whether it blocks.
    """
    graph = shop.definitions.resolve_asset_graph()
    specs = [graph.get_check_spec(key) for key in graph.asset_check_keys]
    assert {spec.blocking for spec in specs if spec.name.endswith("_warnings")} == {False}
    assert {spec.blocking for spec in specs if not spec.name.endswith("_warnings")} == {True}
    bad_day(shop, DAY)
    failed = shop.run("raw", day=DAY, only_checks=True)
    assert not failed.success


def test_reader_when_a_later_run_asks_for_it_alone_then_it_is_refused_with_table_partition_and_check(
    shop: Shop,
) -> None:
    """A later run of the downstream only.

    Dagster: runs.
    """
    bad_day(shop, DAY)
    run = shop.run("clean", day=DAY)
    assert not run.success
    assert run.made == set()
    assert "shop.clean 2026-01-05 is not computed: it would read shop.raw 2026-01-05, which failed its check" in (
        run.refused
    )
    assert "shop.raw 2026-01-05: consistency failed: price.allowed: price is below 0 (1 rows, limit 0)" in run.refused
    assert "athena why shop.raw 2026-01-05" in run.refused


def test_reader_when_the_run_leaves_the_checks_out_then_it_is_refused(shop: Shop) -> None:
    """`materialize([...])` or a job without the checks.

    Dagster: runs.
    """
    run = shop.run("raw", "clean", day=DAY, checks=False)
    assert run.made == {"raw"}
    assert "shop.raw 2026-01-05: completeness missing" in run.refused
    bad_day(shop, NEXT)
    assets = [each for each in shop.definitions.assets or [] if isinstance(each, dg.AssetsDefinition)]
    chosen = [each for each in assets if {"clean", "report"} & {key.path[-1] for key in each.keys}]
    materialised = dg.materialize(
        chosen,
        partition_key=NEXT,
        resources=shop.definitions.resources,
        instance=shop.instance,
        raise_on_error=False,
    )
    assert not materialised.success
    assert materialised.get_asset_materialization_events() == []


def test_eager_asset_when_its_upstream_failed_then_it_is_not_requested(shop: Shop) -> None:
    """`AutomationCondition.eager()` after the failed run.

    Dagster: requests the downstream.
    """
    assert shop.run("raw", day=DAY).success
    shop.requested()
    bad_day(shop, DAY, table="clean")
    assert shop.requested() == {}


def test_eager_asset_when_the_check_passes_then_it_is_requested_and_made(shop: Shop) -> None:
    """`eager() & all_deps_blocking_checks_passed()`.

    Dagster: not requested until the check passes.
    """
    assert shop.run("raw", day=DAY).success
    shop.requested()
    bad_day(shop, DAY, table="clean")
    assert shop.requested() == {}
    shop.price("clean", DAY, None)
    assert shop.run("clean", day=DAY).success
    assert shop.requested() == {"mail": {DAY}}
    assert shop.run("mail", day=DAY).success
    assert shop.requested() == {}


def test_eager_asset_when_its_upstream_was_made_again_without_its_check_then_it_is_not_requested(shop: Shop) -> None:
    """The same, upstream re-materialised without its check (stale result).

    Dagster: not requested.
    """
    assert shop.run("raw", day=DAY).success
    shop.requested()
    assert shop.run("clean", day=DAY).success
    assert shop.run("clean", day=DAY, checks=False).success
    assert shop.requested() == {}
    refused = shop.run("mail", day=DAY)
    assert "completeness missing" in refused.refused
    assert shop.run("clean", day=DAY, only_checks=True).success
    assert shop.requested() == {"mail": {DAY}}


def test_eager_asset_when_a_check_only_warns_then_it_is_requested(shop: Shop) -> None:
    """The same, check fails WARN.

    Dagster: not requested. Athena: what informs does not block, here as everywhere.
    """
    assert shop.run("raw", day=DAY).success
    shop.requested()
    shop.price("clean", DAY, HIGH)
    assert shop.run("clean", day=DAY).success
    assert shop.requested() == {"mail": {DAY}}


def test_check_when_it_has_no_partitions_and_its_table_has_then_it_judges_nothing_and_nothing_leaks(shop: Shop) -> None:
    """An unpartitioned check on a partitioned asset: p1 fails, then p2 passes.

    Dagster: both requested, bad p1 leaks. Athena: such a check finds no write that it could be about, and fails.
    """
    other = shop.rebuilt(partitioned_checks=False)
    other.requested()
    other.price("clean", DAY, BAD)
    for day in (DAY, NEXT):
        run = other.run("clean", day=day)
        assert run.made == set()
    assert other.run("raw", day=NEXT).made == {"raw"}
    assert other.requested() == {}
    assert "nobody says that shop.raw has been written" in other.run("raw", day=NEXT).refused


def test_eager_asset_when_one_day_failed_and_the_next_passed_then_only_the_next_is_requested(shop: Shop) -> None:
    """A check with `partitions_def` (preview).

    Dagster: only p2 requested.
    """
    shop.requested()
    assert shop.run("raw", day=DAY).success
    assert shop.run("raw", day=NEXT).success
    bad_day(shop, DAY, table="clean")
    assert shop.run("clean", day=NEXT).success
    assert shop.requested() == {"mail": {NEXT}}
    assert shop.run("mail", day=NEXT).success
    assert "shop.clean 2026-01-05: consistency failed" in shop.run("mail", day=DAY).refused
    assert set(shop.prices("mail")) == {NEXT}


def test_readers_when_one_of_two_tables_of_a_step_fails_then_those_of_the_other_are_made(shop: Shop) -> None:
    """A `multi_asset_check` over two assets, one fails.

    Dagster: downstream of the *passing* asset is blocked too. Athena: each table has a check step of its own.
    """
    assert shop.run("raw", day=DAY).success
    shop.price("left", DAY, BAD)
    run = shop.run("left", "right", "left_report", "right_report", day=DAY)
    assert run.made == {"left", "right", "right_report"}
    assert shop.run("right_report", day=DAY).success
    assert "shop.left 2026-01-05: consistency failed" in shop.run("left_report", day=DAY).refused
