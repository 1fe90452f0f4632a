"""The TCO page: one HTML file that needs nothing else, the same bytes for the same input.

Every figure on it is `Decimal`, taken from the roll-up or the charges that it is given; columns are rounded
together so that they add up to their total. The page computes nothing that the tables do not hold.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cost import report_tables, tco
from cost.book import Book
from cost.declared import DeclaredCost
from cost.focus import Charge
from cost.rate_card import RateCard
from cost.tco import Tco

TEMPLATES = Path(__file__).parent / "templates"
PLOTLY = Path(__file__).parent / "vendor" / "plotly-finance.min.js"

NOT_YET = (
    "Reconciliation: no invoice stands against these figures, so they equal the ledger, not a bill.",
    "Idle capacity: what the machine was paid for and nobody used.",
    "Allocation along the lineage: shared steps are split evenly, not by what each model reads.",
    "Return: margin-based and incremental return, with their evidence. The ratio of the worked example is gross.",
    "Budget, forecast, bridge to the previous month, chargeback by team and business unit.",
    "Network, energy, and the machine on which people develop.",
)
"""What finance could ask for and does not find here yet; stated on the page."""


def render(
    rolled_up: Tco,
    charges: Sequence[Charge],
    *,
    card: RateCard,
    declared: Sequence[DeclaredCost],
    book: Book,
    predictions: Mapping[str, int | None],
    runs_without_total: Sequence[str] = (),
) -> str:
    """The page as HTML text.

    `charges` are those that `rolled_up` was made of. `predictions`: number of predictions of each model in
    the month so far, None when unknown. `runs_without_total`: runs whose overhead is missing.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    unit_costs = tco.unit_costs(rolled_up, predictions)
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("tco.html.j2").render(
        month=rolled_up.month.start.strftime("%B %Y"),
        as_of=rolled_up.as_of.strftime("%Y-%m-%d %H:%M UTC"),
        currency=rolled_up.currency,
        total=report_tables.amount(rolled_up.total, rolled_up.currency),
        tiles=report_tables.tiles(rolled_up, unit_costs),
        by_model=report_tables.by_model(rolled_up),
        by_line=report_tables.by_line(rolled_up),
        by_day=report_tables.by_day(charges, rolled_up),
        by_step=report_tables.by_step(charges, rolled_up.currency),
        units=report_tables.units(rolled_up, predictions, unit_costs),
        book=report_tables.book(book),
        book_words=report_tables.book_words(book),
        prices=report_tables.prices(card),
        declared=report_tables.declared(declared, charges, rolled_up.currency),
        rule=rolled_up.rule.words,
        runs_without_total=len(runs_without_total),
        not_yet=NOT_YET,
        css=(TEMPLATES / "tco.css").read_text(encoding="utf-8"),
        plotly=PLOTLY.read_text(encoding="utf-8"),
    )
