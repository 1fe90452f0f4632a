"""The TCO page in a real Chromium: self-contained, silent, and equal to the roll-up."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from cost import book, charges, declared, money, report, tco
from cost.period import Month
from cost.rate_card import RateCard
from cost.storage import StorageSnapshot, StoredItem
from cost.usage import RUN_TOTAL, UNITS, Usage

MONTH = Month(2026, 11)
AS_OF = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
MODELS = ["churn", "demand"]


def usage_of(
    run: str, step: str, stage: str, model: str | None, at: datetime, seconds: int, asset: str | None
) -> list[Usage]:
    quantities = {"cpu": seconds * 900_000, "wall": seconds * 1_000_000, "peak_memory": 700 * 2**20}
    return [
        Usage(run, step, 0, asset, "2026-11-21", model, stage, meter, quantity, UNITS[meter], at,
              at + timedelta(seconds=seconds), "measured", "succeeded")
        for meter, quantity in quantities.items()
    ]  # fmt: skip


def one_night(day: int) -> list[Usage]:
    at = datetime(2026, 11, day, 2, tzinfo=UTC)
    run = f"run-{day}"
    return [
        *usage_of(run, "orders__order_lines", "pipeline", None, at, 7 + day, "orders/order_lines"),
        *usage_of(run, "features__customer_features", "pipeline", None, at, 21, "features/customer_features"),
        *usage_of(run, "predictions__churn_candidate", "inference", "churn", at, 33, "predictions/churn_candidate"),
        *usage_of(run, "models__demand_forecast_weekly_candidate", "inference", "demand", at, 12, "predictions/demand"),
        *usage_of(run, RUN_TOTAL, "pipeline", None, at, 90 + day, None),
    ]


@dataclass
class Page:
    """A rendered page and what it was made of."""

    html: str
    rolled_up: tco.Tco
    path: Path = field(default=Path())


def render(reverse: bool = False) -> Page:
    card, costs = RateCard.load(), declared.load()
    rows = [row for day in range(1, 23) for row in one_night(day)]
    looks = [
        StorageSnapshot(datetime(2026, 11, day, 3, tzinfo=UTC), (
            StoredItem("feature store", day * 10**9), StoredItem("artifacts/churn", 5 * 10**6, "churn")))
        for day in range(1, 23)
    ]  # fmt: skip
    made = [
        *charges.from_usage(rows, card, MONTH, AS_OF),
        *charges.from_storage(looks, card, MONTH, AS_OF),
        *charges.from_declared(costs, MONTH, AS_OF),
    ]
    if reverse:
        made.reverse()
    rolled_up = tco.roll_up(made, models=MODELS, month=MONTH, as_of=AS_OF, currency="USD")
    html = report.render(
        rolled_up,
        made,
        card=card,
        declared=costs,
        book=book.work_out(2026),
        predictions={"churn": 92_000, "demand": None},
        runs_without_total=["run-x"],
    )
    return Page(html, rolled_up)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Page:
    made = render()
    made.path = tmp_path_factory.mktemp("published") / "tco.html"
    made.path.write_text(made.html, encoding="utf-8")
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        yield opened
        opened.close()


@dataclass
class Opened:
    """The page in a tab, with what the tab said and asked for."""

    tab: object
    messages: list[str]
    requests: list[str]


@pytest.fixture(scope="module", params=[1280, 400])
def opened(request, page, browser) -> Iterator[Opened]:
    tab = browser.new_page(viewport={"width": request.param, "height": 900})
    seen = Opened(tab, [], [])
    tab.on("console", lambda message: seen.messages.append(message.text))
    tab.on("pageerror", lambda error: seen.messages.append(str(error)))
    tab.on("request", lambda asked: seen.requests.append(asked.url))
    tab.goto(page.path.as_uri())
    tab.wait_for_function("document.querySelectorAll('.chart .main-svg').length >= 4")
    yield seen
    tab.close()


def cells(tab, caption: str) -> dict[str, list[str]]:
    """Rows of the table whose caption starts so, by row header."""
    script = """caption => [...document.querySelectorAll('table')]
        .filter(t => t.caption.textContent.startsWith(caption))
        .flatMap(t => [...t.querySelectorAll('tbody tr, tfoot tr')])
        .map(r => [...r.children].map(c => c.textContent))"""
    return {row[0]: row[1:] for row in tab.evaluate(script, caption)}


def test_page_when_opened_then_it_is_silent_and_asks_for_nothing_else(opened, page):
    assert opened.messages == []
    assert [url for url in opened.requests if not url.startswith(("data:", "blob:"))] == [page.path.as_uri()]


def test_page_when_opened_then_every_chart_is_drawn_and_has_its_table(opened):
    drawn = opened.tab.evaluate(
        "[...document.querySelectorAll('.chart')].map(c => [c.id, c.querySelectorAll('.point').length,"
        " c.closest('.pair').querySelectorAll('table').length])"
    )
    assert [name for name, _, _ in drawn] == ["chart-models", "chart-days", "chart-steps", "chart-book"]
    assert all(points > 0 and tables == 1 for _, points, tables in drawn)


def test_page_when_narrow_or_wide_then_the_body_never_scrolls_sideways(opened):
    assert opened.tab.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_page_when_tabbed_through_then_every_table_can_be_reached(opened):
    reachable = opened.tab.evaluate("[...document.querySelectorAll('table')].every(t => t.closest('[tabindex=\"0\"]'))")
    assert reachable


def test_page_totals_when_compared_with_the_roll_up_then_they_are_the_same(opened, page):
    table = cells(opened.tab, "Month to date by model")
    shown = {name: Decimal(row[0].replace(",", "")) for name, row in table.items()}
    total = shown.pop("Total")
    assert total == money.rounded(page.rolled_up.total, "USD") == sum(shown.values())
    assert set(shown) == {*MODELS, "__overhead__"}
    for model, figure in shown.items():
        assert abs(figure - page.rolled_up.of_model(model)) <= Decimal("0.02")
    exact = cells(opened.tab, "Every line")["Total"][-1]
    assert Decimal(exact.replace(",", "")) == page.rolled_up.total


def test_page_chart_when_compared_with_its_table_then_it_draws_the_same_figures(opened):
    drawn = opened.tab.evaluate(
        "document.getElementById('chart-models').data.map(t => t.x.map((x, i) => [x, t.name, t.y[i]])).flat()"
    )
    table = cells(opened.tab, "Month to date by model")
    order = ["compute", "storage", "infrastructure", "talent"]
    assert drawn
    for model, category, amount in drawn:
        assert float(table[model][1 + order.index(category)].replace(",", "")) == amount


def test_page_unit_cost_when_predictions_are_unknown_then_it_is_empty_and_not_zero(opened):
    table = cells(opened.tab, "Unit cost")
    assert table["demand"] == ["–", "–", "no predictions to divide by"]
    assert Decimal(table["churn"][1].replace(",", "")) > 0


def test_page_worked_example_when_read_then_it_is_the_books_table(opened):
    table = cells(opened.tab, "Worked example")
    assert {line: row[-1] for line, row in table.items()} == {
        "Inference": "3,200.00",
        "Data pipeline": "1,800.00",
        "Monitoring tools": "500.00",
        "ML engineer, 0.25 FTE": "4,500.00",
        "Storage": "400.00",
        "Total": "10,400.00",
    }
    text = opened.tab.inner_text("section[aria-labelledby=book-h]")
    assert "124,800.00" in text
    assert "16.83, said as 17 : 1 gross" in text


def test_page_when_read_then_it_says_that_it_is_open_and_unreconciled_and_what_is_missing(opened):
    text = opened.tab.inner_text("body")
    assert "Open, unreconciled" in text
    assert "Not in it yet" in text
    assert "1 run has no total" in text
    assert "assumption" in text


def test_page_when_rendered_twice_from_charges_in_another_order_then_its_bytes_are_the_same(page):
    assert render(reverse=True).html == page.html


def test_page_when_nothing_has_been_charged_then_it_still_says_so(browser):
    empty = tco.roll_up([], models=[], month=MONTH, as_of=AS_OF, currency="USD")
    html = report.render(empty, [], card=RateCard.load(), declared=[], book=book.work_out(2026), predictions={})
    assert "nothing charged yet" in html
    assert "Nothing yet." in html
