"""One charge, in the columns of FOCUS 1.2 and Athena's own (`x_`).

Fields are the standard's column names in Python's spelling: `billed_cost` is `BilledCost`, `x_model_id` is
`x_ModelId`. Columns of the standard that have no value yet (commitments, invoices, regions) are added with
what fills them.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal

from athena_assets.errors import AthenaError
from cost import money
from cost.period import Month
from cost.records import naive_values

_DUCKDB_TYPES = {
    "Decimal": "DECIMAL(38,12)",
    "Decimal | None": "DECIMAL(38,12)",
    "datetime": "TIMESTAMP",
    "int": "INTEGER",
    "date | None": "DATE",
    "str": "VARCHAR",
    "str | None": "VARCHAR",
}


class ChargedTwice(AthenaError):
    """Two charges carry one id: the same usage or the same day was charged twice."""


class InvalidCharge(AthenaError):
    """A charge that contradicts itself."""


@dataclass(frozen=True)
class Charge:
    """One row of `cost.charge`. Periods are UTC and half-open; amounts in `billing_currency`, 12 decimals.

    x_cost_category, x_cost_subcategory: compute, storage, infrastructure, talent and their parts.
    x_model_id: None when the charge is shared. x_basis: measured, declared (billed and modelled to come).
    x_business_partition: the business day that was worked on, which need not lie in the charge period.
    """

    billing_account_id: str
    billing_account_name: str
    billing_currency: str
    billing_period_start: datetime
    billing_period_end: datetime
    charge_category: str
    charge_class: str | None
    charge_description: str
    charge_frequency: str
    charge_period_start: datetime
    charge_period_end: datetime
    billed_cost: Decimal
    effective_cost: Decimal
    list_cost: Decimal
    contracted_cost: Decimal
    list_unit_price: Decimal
    contracted_unit_price: Decimal
    pricing_category: str
    pricing_quantity: Decimal
    pricing_unit: str
    consumed_quantity: Decimal
    consumed_unit: str
    sku_id: str
    sku_price_id: str
    service_category: str
    service_subcategory: str
    service_name: str
    resource_id: str | None
    provider_name: str
    publisher_name: str
    invoice_issuer_name: str
    x_charge_id: str
    x_revision: int
    x_corrects_charge_id: str | None
    x_cost_category: str
    x_cost_subcategory: str
    x_model_id: str | None
    x_model_version: str | None
    x_stage: str | None
    x_team: str | None
    x_business_unit: str | None
    x_basis: str
    x_run_id: str | None
    x_step_key: str | None
    x_asset_key: str | None
    x_business_partition: str | None

    def __post_init__(self) -> None:
        if not self.charge_period_start < self.charge_period_end:
            raise InvalidCharge(
                f"the charge {self.charge_description!r} has no duration",
                expected="a period that ends after it starts (I10)",
                found=f"{self.charge_period_start} to {self.charge_period_end}",
            )
        if money.rated(self.contracted_unit_price, self.pricing_quantity) != self.contracted_cost:
            raise InvalidCharge(
                f"the charge {self.charge_description!r} is not its price times its quantity (I10)",
                expected=f"{self.contracted_unit_price} x {self.pricing_quantity}",
                found=str(self.contracted_cost),
            )

    @property
    def month(self) -> Month:
        """The billing period."""
        return Month.of(self.billing_period_start)

    @property
    def day(self) -> date:
        """The UTC day on which the charge period starts."""
        return self.charge_period_start.date()


def column(field: str) -> str:
    """The FOCUS name of a field: `x_model_id` -> `x_ModelId`."""
    prefix, words = ("x_", field[2:]) if field.startswith("x_") else ("", field)
    return prefix + "".join(word.capitalize() for word in words.split("_"))


COLUMNS = {
    column(field.name): _DUCKDB_TYPES[str(getattr(field.type, "__name__", field.type))] for field in fields(Charge)
}
"""Columns of the warehouse table `cost.charge` and their DuckDB types; timestamps are UTC."""


def charge_id(*parts: object) -> str:
    """A stable id: the same usage gives the same charge, whoever computes it and however often."""
    return hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).hexdigest()[:20]


def ordered(charges: Iterable[Charge]) -> list[Charge]:
    """Charges in order of their id; raises `ChargedTwice`."""
    found: dict[str, Charge] = {}
    for charge in charges:
        if charge.x_charge_id in found:
            raise ChargedTwice(
                f"the charge {charge.x_charge_id} ({charge.charge_description}) is there twice",
                expected="every usage row, day and stored byte charged once",
            )
        found[charge.x_charge_id] = charge
    return [found[key] for key in sorted(found)]


def warehouse_rows(charges: Iterable[Charge]) -> list[tuple[object, ...]]:
    """Rows for `cost.charge`, in the order of `COLUMNS` and of charge ids; timestamps as naive UTC."""
    return [naive_values(charge) for charge in ordered(charges)]
