"""Declared costs: what no meter sees, people, licences and tools, each with an owner and a source.

An amount stands per month or per year, or as a fraction of a loaded salary. A year is split over its months
and a month over its days, exactly; a cost is charged day by day while it is valid.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Literal

from pydantic import model_validator

from athena_assets.errors import AthenaError
from cost import documents, money
from cost.documents import Amount, CostDocument
from cost.period import Month

FOLDER = Path(__file__).parent / "declared"
MONTHS = [f"{number:02d}" for number in range(1, 13)]


class DeclaredTwice(AthenaError):
    """Two declared costs carry one id."""


class DeclaredCost(CostDocument):
    """One declared cost. Exactly one of: `per_month`, `per_year`, `fte` with `loaded_salary_per_year`.

    model: None shares the cost among all models. category, subcategory: the groups of the TCO table. stage:
    as in `cost.usage`, None where a cost belongs to no stage. assumption: not yet confirmed by its owner.
    """

    id: str
    description: str
    model: str | None
    category: Literal["compute", "storage", "infrastructure", "talent"]
    subcategory: str
    stage: str | None = None
    per_month: Amount = None
    per_year: Amount = None
    fte: Amount = None
    loaded_salary_per_year: Amount = None
    currency: str
    valid_from: date
    valid_to: date | None
    owner: str
    source: str
    assumption: bool

    @model_validator(mode="after")
    def _says_one_amount(self) -> "DeclaredCost":
        salary = self.fte is not None and self.loaded_salary_per_year is not None
        said = [self.per_month is not None, self.per_year is not None, salary]
        half_said = not salary and (self.fte is not None or self.loaded_salary_per_year is not None)
        if sum(said) != 1 or half_said:
            raise ValueError(f"{self.id} needs one of per_month, per_year, or fte with loaded_salary_per_year")
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(f"{self.id} ends on {self.valid_to}, not after it starts on {self.valid_from}")
        money.minor_digits(self.currency)
        return self

    @property
    def terms(self) -> str:
        """The amount in words, for a reader who wants to check it."""
        if self.fte is not None:
            return f"{_plain(self.fte)} FTE of {_plain(self.loaded_salary_per_year)} {self.currency} a year"
        if self.per_year is not None:
            return f"{_plain(self.per_year)} {self.currency} a year"
        return f"{_plain(self.per_month)} {self.currency} a month"

    def in_month(self, month: Month) -> Decimal:
        """The whole month's amount, validity aside; raises `money.InvalidAmount` when it cannot be exact."""
        if self.per_month is not None:
            return Decimal(self.per_month)
        if self.per_year is not None:
            year = Decimal(self.per_year)
        else:
            year = money.times(self.loaded_salary_per_year, self.fte, what=f"the salary share of {self.id}")
        return money.split(year, dict.fromkeys(MONTHS, 1))[f"{month.number:02d}"]

    def by_day(self, month: Month) -> dict[date, Decimal]:
        """The amount of each day of the month on which the cost is valid."""
        days = {day.isoformat(): day for day in month.days}
        parts = money.split(self.in_month(month), dict.fromkeys(days, 1))
        return {
            day: parts[key]
            for key, day in days.items()
            if self.valid_from <= day and (self.valid_to is None or day < self.valid_to)
        }


def load(paths: Sequence[Path] | None = None) -> list[DeclaredCost]:
    """Declared costs of these files (all of `cost/declared/` when not given), ordered by id.

    Raises `documents.InvalidDocument` or `DeclaredTwice`.
    """
    chosen = sorted(FOLDER.glob("*.yaml")) if paths is None else paths
    found: dict[str, DeclaredCost] = {}
    for path in chosen:
        for cost in documents.read(path, "costs", DeclaredCost):
            if cost.id in found:
                raise DeclaredTwice(f"{cost.id} is declared twice", found=f"again in {path.name}")
            found[cost.id] = cost
    return [found[key] for key in sorted(found)]


def _plain(amount: Decimal) -> str:
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
