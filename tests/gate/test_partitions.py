"""The gate over partitions: ranges in one run and in many, mappings, and ancestors without partitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.gate.conftest import Shop

BAD = -1
JANUARY = "2026-01-01"


def days(first: int, last: int, but: tuple[int, ...] = ()) -> set[str]:
    """Days of January."""
    return {f"2026-01-{day:02d}" for day in range(first, last + 1) if day not in but}


def test_range_in_one_run_when_one_day_of_ten_is_bad_then_only_the_readers_of_that_day_are_refused(shop: Shop) -> None:
    shop.price("raw", "2026-01-05", BAD)
    run = shop.run("raw", "clean", day="2026-01-01", to="2026-01-10")
    assert run.made == {"raw"}
    verdicts = shop.rows("SELECT partition, bool_and(passed) FROM gate.verdict WHERE asset = 'shop.raw' GROUP BY ALL")
    assert dict(verdicts) == {day: day != "2026-01-05" for day in days(1, 10)}
    runs = dict(zip(sorted(days(1, 10)), shop.days("clean", first="2026-01-01", last="2026-01-10"), strict=True))
    assert {day for day, each in runs.items() if not each.success} == {"2026-01-05"}
    assert "shop.raw 2026-01-05: consistency failed" in runs["2026-01-05"].refused
    assert set(shop.prices("clean")) == days(1, 10, but=(5,))


def test_range_in_one_run_when_it_reads_a_bad_day_then_it_names_the_day_and_nothing_of_it_is_made(shop: Shop) -> None:
    shop.price("raw", "2026-01-05", BAD)
    shop.run("raw", day="2026-01-01", to="2026-01-10")
    whole = shop.run("clean", day="2026-01-01", to="2026-01-10")
    assert whole.made == set()
    assert "shop.clean 2026-01-01...2026-01-10 is not computed: it would read shop.raw 2026-01-05" in whole.refused
    assert "shop.raw 2026-01-04" not in whole.refused
    assert shop.run("clean", day="2026-01-06", to="2026-01-10").success
    assert set(shop.prices("clean")) == days(6, 10)


def test_many_runs_when_one_day_is_bad_then_the_other_days_are_made_to_the_end_of_the_chain(shop: Shop) -> None:
    shop.price("raw", "2026-01-02", BAD)
    runs = shop.days("raw", "clean", "report", first="2026-01-01", last="2026-01-03")
    assert [run.success for run in runs] == [True, False, True]
    assert set(shop.prices("report")) == {"2026-01-01", "2026-01-03"}


def test_month_when_one_of_its_days_is_bad_then_it_waits_and_another_month_does_not(shop: Shop) -> None:
    shop.run("raw", day="2025-12-28", to="2026-02-03")
    shop.price("clean", "2026-01-17", BAD)
    shop.run("clean", day="2025-12-28", to="2026-02-03")
    january = shop.run("monthly", day=JANUARY)
    assert january.made == set()
    assert "shop.monthly 2026-01-01 is not computed: it would read shop.clean 2026-01-17" in january.refused
    assert shop.run("monthly", day="2025-12-01").success
    shop.price("clean", "2026-01-17", None)
    assert shop.run("clean", day="2026-01-17").success
    assert shop.run("monthly", day=JANUARY).success


def test_month_when_one_of_its_days_has_not_been_made_then_it_says_which(shop: Shop) -> None:
    shop.run("raw", "clean", day="2026-01-01", to="2026-01-30")
    assert "shop.clean 2026-01-31: completeness unwritten" in shop.run("monthly", day=JANUARY).refused


def test_reader_of_the_last_month_when_that_month_is_bad_then_it_waits_though_an_earlier_one_was_good(
    shop: Shop,
) -> None:
    shop.run("raw", "clean", day="2025-12-28", to="2026-01-31")
    assert shop.run("monthly", day="2025-12-01").success
    assert shop.run("forecast", day="2026-01-05").success
    shop.price("monthly", JANUARY, BAD)
    assert not shop.run("monthly", day=JANUARY).success
    assert "shop.monthly 2026-01-01: consistency failed" in shop.run("forecast", day="2026-01-06").refused


def test_reader_of_every_earlier_day_when_one_of_them_is_bad_then_later_days_wait_and_earlier_ones_do_not(
    shop: Shop,
) -> None:
    shop.run("raw", day="2025-12-28", to="2026-01-10")
    shop.price("clean", "2026-01-05", BAD)
    shop.run("clean", day="2025-12-28", to="2026-01-10")
    assert shop.run("rolling", day="2026-01-04").success
    for day in ("2026-01-05", "2026-01-09"):
        assert "shop.clean 2026-01-05: consistency failed" in shop.run("rolling", day=day).refused


def test_reader_of_its_own_earlier_days_when_one_of_them_is_bad_then_later_days_wait(shop: Shop) -> None:
    shop.run("raw", day="2025-12-28", to="2025-12-31")
    shop.price("balance", "2025-12-29", BAD)
    runs = shop.days("balance", first="2025-12-28", last="2025-12-30")
    assert [run.made for run in runs] == [{"balance"}, {"balance"}, set()]
    assert "shop.balance 2025-12-29: consistency failed" in runs[2].refused
    shop.price("balance", "2025-12-29", None)
    assert [run.success for run in shop.days("balance", first="2025-12-29", last="2025-12-30")] == [True, True]


def test_reader_of_its_own_earlier_days_when_a_range_is_made_in_one_run_then_it_needs_those_before_the_range(
    shop: Shop,
) -> None:
    shop.run("raw", day="2025-12-28", to="2025-12-31")
    assert shop.run("balance", day="2025-12-28", to="2025-12-29").success
    assert "shop.balance 2025-12-30" in shop.run("balance", day="2025-12-31").refused
    assert shop.run("balance", day="2025-12-30", to="2025-12-31").success


def test_days_when_what_has_no_partitions_upstream_is_bad_then_every_day_waits_and_others_do_not(shop: Shop) -> None:
    shop.price("stock", None, BAD)
    assert not shop.run("stock").success
    for day in ("2026-01-01", "2026-01-02"):
        assert "it would read shop.stock, which failed its check consistency" in shop.run("offer", day=day).refused
    assert shop.run("raw", "clean", day="2026-01-01").success
    shop.price("stock", None, 1)
    assert shop.run("stock").success
    assert shop.run("offer", day="2026-01-01").success


def test_total_without_partitions_when_one_day_is_bad_or_missing_then_it_waits(shop: Shop) -> None:
    shop.run("raw", day="2025-12-28", to="2026-02-03")
    shop.price("clean", "2026-02-03", BAD)
    shop.run("clean", day="2025-12-28", to="2026-02-02")
    assert "shop.clean 2026-02-03: completeness unwritten" in shop.run("total").refused
    shop.run("clean", day="2026-02-03")
    assert "shop.clean 2026-02-03: consistency failed" in shop.run("total").refused
    shop.price("clean", "2026-02-03", None)
    assert shop.run("clean", day="2026-02-03").success
    assert shop.run("total").success


def test_part_of_a_step_when_the_rest_of_it_is_bad_then_it_is_refused(shop: Shop) -> None:
    assert shop.run("raw", day="2026-01-01").success
    shop.price("left", "2026-01-01", BAD)
    assert shop.run("left", "right", "sum", day="2026-01-01").made == {"left", "right", "sum"}
    alone = shop.run("sum", day="2026-01-01")
    assert alone.made == set()
    assert "shop.left 2026-01-01: consistency failed" in alone.refused
    assert shop.run("right", day="2026-01-01").success


def test_reader_when_a_distant_ancestor_is_bad_then_it_is_refused_though_its_parent_passed(shop: Shop) -> None:
    assert shop.run("raw", "clean", "report", day="2026-01-01").success
    shop.price("raw", "2026-01-01", BAD)
    assert not shop.run("raw", day="2026-01-01").success
    page = shop.run("page", day="2026-01-01")
    assert page.made == set()
    assert "shop.page 2026-01-01 is not computed: it would read shop.raw 2026-01-01" in page.refused


def test_bill_when_what_it_only_comes_after_is_bad_then_it_is_made(shop: Shop) -> None:
    shop.price("raw", "2026-01-01", BAD)
    shop.run("raw", "clean", "report", day="2026-01-01")
    assert shop.run("bill").success
