"""The rate card: dated unit prices with their source.

A price holds from `valid_from` up to, not including, `valid_to`; two prices of one SKU never overlap, so a day
has one price or none. None is an error: a missing price is not a price of zero.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from pathlib import Path

from pydantic import model_validator

from athena_assets.errors import AthenaError
from cost import documents, money
from cost.documents import Amount, CostDocument
from cost.period import require_utc

SHIPPED = Path(__file__).parent / "prices" / "public.yaml"
"""Public prices, so that the first page has figures before anybody has negotiated any."""

CPU = "cpu-core-hour"
MEMORY = "memory-gib-hour"
STORAGE = "storage-gib-hour"


class PriceMissing(AthenaError):
    """No price of a SKU holds at a moment."""


class PricesOverlap(AthenaError):
    """Two prices of one SKU hold at the same moment."""


class Price(CostDocument):
    """One dated price. Prices are per `unit`, in `currency`; validity in UTC days, half-open."""

    sku: str
    description: str
    unit: str
    list_unit_price: Amount
    contracted_unit_price: Amount
    currency: str
    valid_from: date
    valid_to: date | None
    source: str
    retrieved_at: date
    approver: str | None

    @model_validator(mode="after")
    def _makes_sense(self) -> "Price":
        if self.valid_to is not None and self.valid_to <= self.valid_from:
            raise ValueError(f"{self.sku} ends on {self.valid_to}, not after it starts on {self.valid_from}")
        if self.list_unit_price is None or self.contracted_unit_price is None:
            raise ValueError(f"{self.sku} has no price")
        if self.list_unit_price < 0 or self.contracted_unit_price < 0:
            raise ValueError(f"{self.sku} has a negative price")
        money.minor_digits(self.currency)
        return self

    @property
    def price_id(self) -> str:
        """Identifies the price within its SKU (FOCUS `SkuPriceId`)."""
        return f"{self.sku}@{self.valid_from.isoformat()}"

    def holds(self, day: date) -> bool:
        """Whether the price holds on a day."""
        return self.valid_from <= day and (self.valid_to is None or day < self.valid_to)


@dataclass(frozen=True)
class RateCard:
    """Prices without overlaps, in one currency, ordered by SKU and start."""

    prices: tuple[Price, ...]

    @classmethod
    def of(cls, prices: Iterable[Price]) -> "RateCard":
        """A card of these prices; raises `PricesOverlap` or `money.MixedCurrencies`."""
        ordered = tuple(sorted(prices, key=lambda price: (price.sku, price.valid_from)))
        money.one_currency(price.currency for price in ordered)
        for earlier, later in pairwise(ordered):
            if earlier.sku == later.sku and (earlier.valid_to is None or later.valid_from < earlier.valid_to):
                raise PricesOverlap(
                    f"two prices of {earlier.sku} hold on {later.valid_from}",
                    expected=f"the price from {earlier.valid_from} to end by {later.valid_from}",
                    found=f"it ends on {earlier.valid_to}" if earlier.valid_to else "it has no end",
                    next_command="set its valid_to",
                )
        return cls(ordered)

    @classmethod
    def load(cls, paths: Sequence[Path] = (SHIPPED,)) -> "RateCard":
        """The card in these YAML files together; raises `documents.InvalidDocument` as well."""
        return cls.of(price for path in paths for price in documents.read(path, "prices", Price))

    @property
    def currency(self) -> str:
        """The one currency of all prices."""
        return self.prices[0].currency

    def price(self, sku: str, at: datetime) -> Price:
        """The price of a SKU at a moment (aware); raises `PriceMissing`."""
        day = require_utc(at).date()
        for price in self.prices:
            if price.sku == sku and price.holds(day):
                return price
        known = [f"from {p.valid_from} to {p.valid_to or 'open'}" for p in self.prices if p.sku == sku]
        raise PriceMissing(
            f"no price of {sku} holds on {day}",
            expected="one price",
            found="; ".join(known) or f"no price of {sku} at all",
            next_command="add the price to a file in cost/prices/",
        )
