"""The tables of the TCO page, each with the chart that repeats it where there is one.

Cells are text, ready to show. Amounts of one table are rounded together (`money.shown`); its margins are sums
of the cells that are shown, so that a reader with a pocket calculator finds no difference.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from cost import charts, money
from cost.book import Book
from cost.declared import DeclaredCost
from cost.focus import Charge
from cost.rate_card import CPU, MEMORY, RateCard
from cost.tco import Tco

CATEGORIES = ("compute", "storage", "infrastructure", "talent")
NONE = "–"
LARGEST_STEPS = 15


@dataclass(frozen=True)
class Table:
    """One HTML table. numeric: indices of right-aligned columns. chart: Plotly JSON of the same figures."""

    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: tuple[int, ...] = ()
    foot: tuple[str, ...] | None = None
    chart: str | None = None


@dataclass(frozen=True)
class Tile:
    """One figure of the summary."""

    name: str
    figure: str
    note: str


def amount(value: Decimal, currency: str) -> str:
    """One amount alone, in subunits."""
    return plain(money.rounded(value, currency))


def plain(value: Decimal) -> str:
    """A decimal with thousands separators."""
    return f"{value:,f}"


def exact(value: Decimal) -> str:
    """All digits of an amount, without trailing zeros beyond the cents."""
    text = f"{value:,.12f}".rstrip("0")
    whole, _, decimals = text.partition(".")
    return f"{whole}.{decimals.ljust(2, '0')}"


def tiles(rolled_up: Tco, unit_costs: Mapping[str, Decimal | None]) -> tuple[Tile, ...]:
    """Total, measured share, every model's total and unit cost."""
    currency = rolled_up.currency
    by_basis = money.shown(rolled_up.by(lambda row: row.basis), currency)
    basis = ", ".join(f"{plain(part)} {name}" for name, part in sorted(by_basis.items()))
    cells = _cells(rolled_up)
    found = [
        Tile(
            "All models and residuals",
            f"{amount(rolled_up.total, currency)} {currency}",
            basis or "nothing charged yet",
        )
    ]
    for model in rolled_up.models:
        total = sum((part for (name, _), part in cells.items() if name == model), Decimal(0))
        unit = unit_costs.get(model)
        note = (
            f"{plain(money.rounded(unit, currency))} {currency} per 1,000 predictions"
            if unit is not None
            else "no predictions counted"
        )
        found.append(Tile(model, f"{plain(total)} {currency}", note))
    return tuple(found)


def by_model(rolled_up: Tco) -> Table:
    """Models and residuals by category."""
    cells = _cells(rolled_up)
    names = [*rolled_up.models, *sorted({name for name, _ in cells} - set(rolled_up.models))]
    nothing = Decimal(0).scaleb(-money.minor_digits(rolled_up.currency))
    rows = []
    for name in names:
        parts = [cells.get((name, category), nothing) for category in CATEGORIES]
        rows.append((name, plain(sum(parts, nothing)), *(plain(part) for part in parts)))
    columns = [
        sum((part for (_, found), part in cells.items() if found == category), nothing) for category in CATEGORIES
    ]
    return Table(
        caption=f"Month to date by model and category, {rolled_up.currency}",
        header=("Model", "Total", *(category.capitalize() for category in CATEGORIES)),
        rows=tuple(rows),
        numeric=tuple(range(1, len(CATEGORIES) + 2)),
        foot=("Total", plain(sum(columns, nothing)), *(plain(part) for part in columns)),
        chart=charts.stacked_bars(
            names,
            {category: [cells.get((name, category), nothing) for name in names] for category in CATEGORIES},
            currency=rolled_up.currency,
        ),
    )


def by_line(rolled_up: Tco) -> Table:
    """Every line of the roll-up with its basis and all its digits."""
    shown = money.shown({index: row.billed_cost for index, row in enumerate(rolled_up.rows)}, rolled_up.currency)
    return Table(
        caption=f"Every line, {rolled_up.currency}",
        header=("Model", "Category", "Part", "Basis", "How it got here", "Amount", "Exact"),
        rows=tuple(
            (
                row.model,
                row.category,
                _words(row.subcategory),
                row.basis,
                {"direct": "direct", "even": "shared, even split", "residual": "residual"}[row.method],
                plain(shown[index]),
                exact(row.billed_cost),
            )
            for index, row in enumerate(rolled_up.rows)
        ),
        numeric=(5, 6),
        foot=("Total", "", "", "", "", plain(sum(shown.values(), Decimal(0))), exact(rolled_up.total)),
    )


def by_day(charges: Sequence[Charge], rolled_up: Tco) -> Table:
    """What each day cost, by category."""
    sums: dict[tuple[str, str], list[Decimal]] = {}
    for charge in charges:
        sums.setdefault((charge.day.isoformat(), charge.x_cost_category), []).append(charge.billed_cost)
    shown = money.shown({key: money.total(parts) for key, parts in sums.items()}, rolled_up.currency)
    days = sorted({day for day, _ in shown})
    nothing = Decimal(0).scaleb(-money.minor_digits(rolled_up.currency))
    rows = []
    for day in days:
        parts = [shown.get((day, category), nothing) for category in CATEGORIES]
        rows.append((day, plain(sum(parts, nothing)), *(plain(part) for part in parts)))
    return Table(
        caption=f"By day (UTC), {rolled_up.currency}",
        header=("Day", "Total", *(category.capitalize() for category in CATEGORIES)),
        rows=tuple(rows),
        numeric=tuple(range(1, len(CATEGORIES) + 2)),
        foot=("Total", plain(sum(shown.values(), nothing)), *("" for _ in CATEGORIES)),
        chart=charts.stacked_bars(
            days,
            {category: [shown.get((day, category), nothing) for day in days] for category in CATEGORIES},
            currency=rolled_up.currency,
            by_day=True,
        ),
    )


def by_step(charges: Sequence[Charge], currency: str) -> Table:
    """Metered steps, the dearest first, with all digits: a step on a laptop costs a fraction of a cent."""
    steps: dict[str, list[Charge]] = {}
    for charge in charges:
        if charge.x_step_key is not None:
            steps.setdefault(charge.x_step_key, []).append(charge)
    costs = {step: money.total(each.billed_cost for each in found) for step, found in steps.items()}
    ranked = sorted(costs, key=lambda step: (-costs[step], step))
    rows = []
    for step in ranked:
        hours = {
            sku: money.total(each.pricing_quantity for each in steps[step] if each.sku_id == sku)
            for sku in (CPU, MEMORY)
        }
        runs = len({each.x_run_id for each in steps[step]})
        cpu_seconds = plain((hours[CPU] * 3600).quantize(Decimal("0.001")))
        rows.append(
            (step, str(runs), cpu_seconds, exact(hours[MEMORY].quantize(Decimal("0.000001"))), exact(costs[step]))
        )
    largest = {step: costs[step] for step in ranked[:LARGEST_STEPS]}
    return Table(
        caption=f"Measured steps, dearest first, {currency}",
        header=("Step", "Runs", "CPU seconds", "GiB-hours", "Cost, exact"),
        rows=tuple(rows),
        numeric=(1, 2, 3, 4),
        foot=("Total", "", "", "", exact(money.total(costs.values()))),
        chart=charts.ranked_bars(largest, currency=currency) if largest else None,
    )


def units(rolled_up: Tco, predictions: Mapping[str, int | None], unit_costs: Mapping[str, Decimal | None]) -> Table:
    """Cost per 1,000 predictions; empty where there is no denominator, never 0."""
    rows = []
    for model in rolled_up.models:
        count, unit = predictions.get(model), unit_costs[model]
        rows.append(
            (
                model,
                f"{count:,}" if count is not None else NONE,
                amount(unit, rolled_up.currency) if unit is not None else NONE,
                exact(unit) if unit is not None else "no predictions to divide by",
            )
        )
    return Table(
        caption=f"Unit cost, {rolled_up.currency}",
        header=("Model", "Predictions this month", "Cost per 1,000", "Exact"),
        rows=tuple(rows),
        numeric=(1, 2, 3),
    )


def book(example: Book) -> Table:
    """The worked example's table."""
    shown = money.shown(example.lines, example.currency)
    return Table(
        caption=f"Worked example: one month of a churn model, {example.currency}",
        header=("Line", "Terms", "A month"),
        rows=tuple((line, example.terms[line], plain(part)) for line, part in shown.items()),
        numeric=(2,),
        foot=("Total", "", amount(example.month_total, example.currency)),
        chart=charts.waterfall(example.lines, "Total", currency=example.currency),
    )


def book_words(example: Book) -> str:
    """What follows from the table, in one sentence."""
    year, retained = (amount(each, example.currency) for each in (example.year_total, example.retained))
    return (
        f"Twelve months cost {year} {example.currency}. The model retains {retained} {example.currency} of revenue "
        f"a year: {example.gross_ratio}, said as {example.gross_ratio_in_words} gross, that is on revenue, before "
        "margin and before asking how much of it would have stayed anyway."
    )


def prices(card: RateCard) -> Table:
    """The rate card with its sources."""
    return Table(
        caption=f"Prices, {card.currency}",
        header=("SKU", "Contracted price", "Per", "Valid from", "Until", "Source", "Retrieved", "Approved by"),
        rows=tuple(
            (
                price.sku,
                exact(price.contracted_unit_price),
                price.unit,
                price.valid_from.isoformat(),
                price.valid_to.isoformat() if price.valid_to else "open",
                price.source,
                price.retrieved_at.isoformat(),
                price.approver or "nobody yet",
            )
            for price in card.prices
        ),
        numeric=(1,),
    )


def declared(costs: Sequence[DeclaredCost], charges: Sequence[Charge], currency: str) -> Table:
    """Declared costs with owner, source and what they have cost this month so far."""
    so_far = {
        cost.id: money.total(
            each.billed_cost for each in charges if each.x_basis == "declared" and each.sku_id == cost.id
        )
        for cost in costs
    }
    shown = money.shown(so_far, currency)
    return Table(
        caption=f"Declared costs, {currency}",
        header=("Cost", "Model", "Terms", "Month to date", "Status", "Owner", "Source"),
        rows=tuple(
            (
                cost.description,
                cost.model or "shared",
                cost.terms,
                plain(shown[cost.id]),
                "assumption" if cost.assumption else "confirmed",
                cost.owner,
                cost.source,
            )
            for cost in costs
        ),
        numeric=(3,),
    )


def _cells(rolled_up: Tco) -> dict[tuple[str, str], Decimal]:
    """Shown amounts by model and category, rounded together: what tiles, table and chart agree on."""
    grouped: dict[tuple[str, str], list[Decimal]] = {}
    for row in rolled_up.rows:
        grouped.setdefault((row.model, row.category), []).append(row.billed_cost)
    return money.shown({key: money.total(parts) for key, parts in grouped.items()}, rolled_up.currency)


def _words(name: str) -> str:
    return "orchestration (run overhead)" if name == "orchestration" else name.replace("_", " ")
