"""Total cost of ownership: charges of one month rolled up to models and named residuals, sum unchanged.

The first allocation is the simplest that is honest. A charge tagged with a model belongs to it; a shared one
is split evenly among the models, charge by charge and exact to the quantum; a run's overhead stays
`__overhead__`, and shared cost without any model to carry it `__unallocated__`. Allocation along the lineage
replaces the even rule, not these tables.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from athena_assets.errors import AthenaError
from cost import money
from cost.charges import OVERHEAD
from cost.focus import Charge, ordered
from cost.period import Month, require_utc

UNALLOCATED = "__unallocated__"
RESIDUALS = (OVERHEAD, UNALLOCATED)

COLUMNS = {
    "month": "DATE",
    "as_of": "TIMESTAMP",
    "model": "VARCHAR",
    "category": "VARCHAR",
    "subcategory": "VARCHAR",
    "basis": "VARCHAR",
    "method": "VARCHAR",
    "rule_id": "VARCHAR",
    "rule_version": "INTEGER",
    "currency": "VARCHAR",
    "billed_cost": "DECIMAL(38,12)",
    "effective_cost": "DECIMAL(38,12)",
}
"""Columns of the warehouse table `cost.tco` and their DuckDB types; `as_of` is UTC."""


class NotConserved(AthenaError):
    """What was rolled up is not what was charged (invariants I1, I4)."""


class WrongPeriod(AthenaError):
    """A charge of another month, or of a time not yet reached, is in the roll-up."""


@dataclass(frozen=True)
class EvenRule:
    """Shared cost in equal parts to the models named; in force for every charge without a model."""

    models: tuple[str, ...]
    rule_id: str = "shared-even"
    version: int = 1

    @property
    def words(self) -> str:
        """The rule as the page states it."""
        if not self.models:
            return "No model is registered to carry shared cost: it is shown as __unallocated__."
        return (
            "A charge that carries a model's tag belongs to that model. A charge without one is split into equal "
            f"parts among the models {', '.join(self.models)}. What a run uses beside its steps "
            f"is shown as {OVERHEAD} and belongs to no model."
        )


@dataclass(frozen=True)
class TcoRow:
    """One line: grain model × category × subcategory × basis × method. method: direct, even, residual."""

    model: str
    category: str
    subcategory: str
    basis: str
    method: str
    rule_id: str | None
    rule_version: int | None
    billed_cost: Decimal
    effective_cost: Decimal


@dataclass(frozen=True)
class Tco:
    """The roll-up of one month up to `as_of` (UTC); rows in order of their grain."""

    month: Month
    as_of: datetime
    currency: str
    rule: EvenRule
    rows: tuple[TcoRow, ...]

    @property
    def total(self) -> Decimal:
        """Everything billed, exact."""
        return money.total(row.billed_cost for row in self.rows)

    @property
    def models(self) -> list[str]:
        """Models that carry cost or are named by the rule, in order; without residuals."""
        return sorted({row.model for row in self.rows if row.model not in RESIDUALS} | set(self.rule.models))

    def by(self, key: Callable[[TcoRow], str]) -> dict[str, Decimal]:
        """Exact billed totals by any property of a row, in order of the key."""
        grouped: dict[str, list[Decimal]] = {}
        for row in self.rows:
            grouped.setdefault(key(row), []).append(row.billed_cost)
        return {name: money.total(grouped[name]) for name in sorted(grouped)}

    def of_model(self, model: str) -> Decimal:
        """The model's exact total; 0 for a model of the rule that no cost has reached."""
        return money.total(row.billed_cost for row in self.rows if row.model == model)

    def warehouse_rows(self) -> list[tuple[object, ...]]:
        """Rows for `cost.tco`, in the order of `COLUMNS`."""
        as_of = self.as_of.replace(tzinfo=None)
        return [
            (
                self.month.start.date(),
                as_of,
                row.model,
                row.category,
                row.subcategory,
                row.basis,
                row.method,
                row.rule_id,
                row.rule_version,
                self.currency,
                row.billed_cost,
                row.effective_cost,
            )
            for row in self.rows
        ]


def roll_up(charges: Iterable[Charge], *, models: Sequence[str], month: Month, as_of: datetime, currency: str) -> Tco:
    """Roll charges of `month` up to models; the total is conserved exactly, whatever their order.

    Raises `focus.ChargedTwice`, `WrongPeriod`, `money.MixedCurrencies`, and `NotConserved` (a defect).
    """
    require_utc(as_of)
    rule = EvenRule(tuple(sorted(set(models))))
    listed = ordered(charges)
    money.one_currency([currency, *(charge.billing_currency for charge in listed)])
    billed: dict[tuple[str, ...], int] = {}
    effective: dict[tuple[str, ...], int] = {}
    for charge in listed:
        _require_period(charge, month, as_of)
        for sums, amount in ((billed, charge.billed_cost), (effective, charge.effective_cost)):
            for receiver, method, part in _receivers(charge, amount, rule):
                grain = (receiver, charge.x_cost_category, charge.x_cost_subcategory, charge.x_basis, method)
                sums[grain] = sums.get(grain, 0) + money.to_quanta(part)
    rows = tuple(_row(grain, billed[grain], effective[grain], rule) for grain in sorted(billed))
    _require_conserved([charge.billed_cost for charge in listed], [row.billed_cost for row in rows], "billed")
    _require_conserved([charge.effective_cost for charge in listed], [row.effective_cost for row in rows], "effective")
    return Tco(month, as_of, currency, rule, rows)


def unit_costs(tco: Tco, predictions: Mapping[str, int | None]) -> dict[str, Decimal | None]:
    """Cost of 1,000 predictions of each model: its whole TCO by what it predicted in the month so far.

    None where the number of predictions is 0 or unknown (I12).
    """
    return {
        model: money.per_unit(money.times(tco.of_model(model), 1000, what="a thousand"), predictions.get(model))
        for model in tco.models
    }


def _receivers(charge: Charge, amount: Decimal, rule: EvenRule) -> list[tuple[str, str, Decimal]]:
    if charge.x_step_key == OVERHEAD:
        return [(OVERHEAD, "residual", amount)]
    if charge.x_model_id is not None:
        return [(charge.x_model_id, "direct", amount)]
    if not rule.models:
        return [(UNALLOCATED, "residual", amount)]
    parts = money.split(amount, dict.fromkeys(rule.models, 1))
    return [(model, "even", part) for model, part in parts.items()]


def _row(grain: tuple[str, ...], billed: int, effective: int, rule: EvenRule) -> TcoRow:
    model, category, subcategory, basis, method = grain
    split = method == "even"
    return TcoRow(
        model=model,
        category=category,
        subcategory=subcategory,
        basis=basis,
        method=method,
        rule_id=rule.rule_id if split else None,
        rule_version=rule.version if split else None,
        billed_cost=money.from_quanta(billed),
        effective_cost=money.from_quanta(effective),
    )


def _require_period(charge: Charge, month: Month, as_of: datetime) -> None:
    if charge.month != month or charge.charge_period_start >= as_of:
        raise WrongPeriod(
            f"the charge {charge.charge_description!r} does not belong to {month.key} up to {as_of.isoformat()}",
            expected=f"billing period {month.key}, starting before {as_of.isoformat()}",
            found=f"billing period {charge.month.key}, starting {charge.charge_period_start.isoformat()}",
        )


def _require_conserved(charged: list[Decimal], rolled_up: list[Decimal], metric: str) -> None:
    before, after = money.total(charged), money.total(rolled_up)
    if before != after:
        raise NotConserved(f"{metric} cost was not conserved", expected=str(before), found=str(after))
