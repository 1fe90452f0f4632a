"""The worked example: the book's TCO table, charged and rolled up by the code that charges the live system."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from pathlib import Path

from athena_assets.yaml_text import load_yaml
from cost import charges, declared, documents, money, tco
from cost.period import Month

EXAMPLE = Path(__file__).parent / "examples" / "book.yaml"


@dataclass(frozen=True)
class Book:
    """The table and what follows from it.

    lines: monthly amount by line, in the order of the file. month_total, year_total: sums of the roll-up
    over one month and over twelve. retained: revenue retained a year. gross_ratio: retained / year_total,
    two decimals half up, before margin and before asking what would have been retained anyway.
    """

    currency: str
    lines: dict[str, Decimal]
    terms: dict[str, str]
    month_total: Decimal
    year_total: Decimal
    retained: Decimal
    gross_ratio: Decimal

    @property
    def gross_ratio_in_words(self) -> str:
        """Rounded to whole numbers, as it is usually said."""
        return f"{int(self.gross_ratio.to_integral_value(rounding='ROUND_HALF_UP'))} : 1"


def work_out(year: int) -> Book:
    """The book's example over the twelve months of a year (every year gives the same)."""
    costs = declared.load([EXAMPLE])
    order = {cost.id: cost for cost in documents.read(EXAMPLE, "costs", declared.DeclaredCost)}
    currency = money.one_currency(cost.currency for cost in costs)
    value = load_yaml(EXAMPLE.read_text(encoding="utf-8"))["value"]
    retained = money.parse(value["retained_revenue_per_year"], what="the retained revenue")

    months = [Month(year, number) for number in range(1, 13)]
    rolled_up = [_month(costs, month, currency) for month in months]
    first = charges.from_declared(costs, months[0], months[0].end)
    year_total = money.total(each.total for each in rolled_up)
    return Book(
        currency=currency,
        lines={
            cost.description: money.total(each.billed_cost for each in first if each.sku_id == cost.id)
            for cost in order.values()
        },
        terms={cost.description: cost.terms for cost in order.values()},
        month_total=rolled_up[0].total,
        year_total=year_total,
        retained=retained,
        gross_ratio=_ratio(retained, year_total),
    )


def _month(costs: list[declared.DeclaredCost], month: Month, currency: str) -> tco.Tco:
    charged = charges.from_declared(costs, month, month.end)
    return tco.roll_up(charged, models=["churn"], month=month, as_of=month.end, currency=currency)


def _ratio(numerator: Decimal, denominator: Decimal) -> Decimal:
    hundredths = Fraction(money.to_quanta(numerator) * 100, money.to_quanta(denominator))
    return Decimal(int(hundredths + Fraction(1, 2))).scaleb(-2)
