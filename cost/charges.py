"""From what happened to what it costs: usage, storage and declared costs become charges of one month.

Nothing is rounded after this step. A charge is made where a price meets a quantity, rounded to the quantum
of 1e-12, and from then on amounts are only added and split.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from athena_assets.errors import AthenaError
from cost import money, rate_card, storage
from cost.declared import DeclaredCost
from cost.focus import Charge, charge_id, ordered
from cost.period import Month, require_utc
from cost.rate_card import Price, RateCard
from cost.storage import StorageSnapshot, StoredItem
from cost.usage import RUN_TOTAL, Usage

OVERHEAD = "__overhead__"
"""Step key, and residual, of what a run used beside its steps: the orchestrator, imports, event storage."""

US_PER_HOUR = 3_600_000_000
BYTES_PER_GIB = 2**30
LEDGER = "Athena"
_DAY = timedelta(days=1)
_ONE_DAY = money.parse(1, what="one day")

SERVICES = {
    "compute": ("Compute", "Virtual Machines", "Athena compute"),
    "storage": ("Storage", "Block Storage", "Athena storage"),
    "infrastructure": ("Management and Governance", "Other (Management and Governance)", "Athena platform"),
    "talent": ("Other", "Other (Other)", "Athena talent"),
}
"""FOCUS service category and subcategory, and our service name, of each cost category."""


class UsageExceedsRun(AthenaError):
    """The steps of a run add up to more than the run: overhead would be negative, and is never clamped."""


@dataclass(frozen=True)
class Account:
    """To whom the ledger is addressed."""

    account_id: str = "athena"
    name: str = "Athena"


DEFAULT_ACCOUNT = Account()


@dataclass(frozen=True)
class _Attempt:
    """One attempt of one step with its quantities by meter."""

    first: Usage
    quantities: Mapping[str, int]

    @property
    def used(self) -> dict[str, int]:
        """Priced quantities: CPU microseconds, and memory as peak bytes held for the wall time."""
        return {
            "cpu": self.quantities["cpu"],
            "memory": self.quantities["peak_memory"] * self.quantities["wall"],
        }


_PRICED = {
    "cpu": (rate_card.CPU, US_PER_HOUR, "CPU"),
    "memory": (rate_card.MEMORY, US_PER_HOUR * BYTES_PER_GIB, "memory"),
}


def from_usage(
    rows: Iterable[Usage], card: RateCard, month: Month, as_of: datetime, account: Account = DEFAULT_ACCOUNT
) -> list[Charge]:
    """Charges of metered steps and of each run's overhead that started in `month` and before `as_of`.

    `rows` are those of `usage.load`, runs whole. Memory is charged as the peak held for the whole step,
    as a machine of that size would be. Raises `rate_card.PriceMissing`, `UsageExceedsRun`.
    """
    until = _until(month, as_of)
    charges: list[Charge] = []
    for attempts in _runs(rows).values():
        totals = [each for each in attempts if each.first.step == RUN_TOTAL]
        steps = [each for each in attempts if each.first.step != RUN_TOTAL]
        for attempt in steps:
            if month.start <= attempt.first.started_at < until:
                charges += _step_charges(attempt.first, attempt.used, card, month, account)
        if totals and month.start <= totals[0].first.started_at < until:
            overhead = replace(totals[0].first, step=OVERHEAD)
            charges += _step_charges(overhead, _left_over(totals, steps), card, month, account)
    return ordered(charges)


def runs_without_total(rows: Iterable[Usage]) -> list[str]:
    """Runs whose overhead is not known: still running, or started by nobody who measures runs."""
    rows = [row for row in rows if row.meter == "cpu"]
    measured = {row.run_id for row in rows if row.step == RUN_TOTAL}
    return sorted({row.run_id for row in rows} - measured)


def _runs(rows: Iterable[Usage]) -> dict[str, list[_Attempt]]:
    grouped: dict[tuple[Any, ...], dict[str, Usage]] = {}
    for row in sorted(rows, key=lambda row: (row.run_id, row.step, row.attempt, row.started_at, row.meter)):
        if row.meter != "stored_bytes":
            grouped.setdefault((row.run_id, row.step, row.attempt, row.started_at), {})[row.meter] = row
    runs: dict[str, list[_Attempt]] = {}
    for key, by_meter in grouped.items():
        quantities = {meter: row.quantity for meter, row in by_meter.items()}
        runs.setdefault(key[0], []).append(_Attempt(by_meter["cpu"], quantities))
    return runs


def _left_over(totals: Sequence[_Attempt], steps: Sequence[_Attempt]) -> dict[str, int]:
    left = {}
    for what in _PRICED:
        left[what] = sum(each.used[what] for each in totals) - sum(each.used[what] for each in steps)
        if left[what] < 0:
            raise UsageExceedsRun(
                f"the steps of run {totals[0].first.run_id} used more {what} than the run",
                expected="the run's own total, measured around all of its steps",
                found=f"{-left[what]} too much",
                next_command="run it with the in-process executor, or leave the run's total out",
            )
    return left


def _step_charges(work: Usage, used: Mapping[str, int], card: RateCard, month: Month, account: Account) -> list[Charge]:
    is_overhead = work.step == OVERHEAD
    charges = []
    for what, (sku, divisor, name) in _PRICED.items():
        charges.append(
            _measured(
                card.price(sku, work.started_at),
                money.quantity(used[what], divisor),
                month=month,
                account=account,
                period=(work.started_at, max(work.ended_at, work.started_at + timedelta(microseconds=1))),
                category="infrastructure" if is_overhead else "compute",
                charge_description=f"{name} of {work.step}",
                resource_id=work.asset_key or work.step,
                x_charge_id=charge_id("measured", work.run_id, work.step, work.attempt, what, work.started_at),
                x_cost_subcategory="orchestration" if is_overhead else work.stage,
                x_model_id=work.model,
                x_stage=None if is_overhead else work.stage,
                x_run_id=work.run_id,
                x_step_key=work.step,
                x_asset_key=work.asset_key,
                x_business_partition=work.partition,
            )
        )
    return charges


def from_storage(
    snapshots: Sequence[StorageSnapshot],
    card: RateCard,
    month: Month,
    as_of: datetime,
    account: Account = DEFAULT_ACCOUNT,
) -> list[Charge]:
    """Byte-hours between snapshots (see `storage`), inside the month and before `as_of`."""
    until = _until(month, as_of)
    looks = sorted(snapshots, key=lambda snapshot: snapshot.taken_at)
    ends = [snapshot.taken_at for snapshot in looks[1:]] + [until]
    charges = []
    for snapshot, end in zip(looks, ends, strict=False):
        period = (max(snapshot.taken_at, month.start), min(end, until))
        if period[0] < period[1]:
            charges += [_stored(item, period, card, month, account) for item in snapshot.items]
    return ordered(charges)


def _stored(
    item: StoredItem, period: tuple[datetime, datetime], card: RateCard, month: Month, account: Account
) -> Charge:
    held_us = (period[1] - period[0]) // timedelta(microseconds=1)
    return _measured(
        card.price(rate_card.STORAGE, period[0]),
        money.quantity(item.bytes_stored * held_us, US_PER_HOUR * BYTES_PER_GIB),
        month=month,
        account=account,
        period=period,
        category="storage",
        charge_description=f"storage of {item.key}",
        resource_id=item.key,
        x_charge_id=charge_id("stored", item.key, period[0]),
        x_cost_subcategory=storage.group_of(item.key),
        x_model_id=item.model,
        x_stage=None,
    )


def from_declared(
    costs: Iterable[DeclaredCost], month: Month, as_of: datetime, account: Account = DEFAULT_ACCOUNT
) -> list[Charge]:
    """One charge per declared cost and day that has ended by `as_of`."""
    until = _until(month, as_of)
    charges = []
    for cost in costs:
        for day, amount in cost.by_day(month).items():
            start = datetime.combine(day, time(), tzinfo=UTC)
            if start + _DAY <= until:
                charges.append(_declared(cost, start, amount, month, account))
    return ordered(charges)


def _declared(cost: DeclaredCost, start: datetime, amount: Decimal, month: Month, account: Account) -> Charge:
    return _charge(
        month=month,
        account=account,
        currency=cost.currency,
        category=cost.category,
        charge_description=cost.description,
        charge_frequency="Recurring",
        charge_period_start=start,
        charge_period_end=start + _DAY,
        billed_cost=amount,
        list_cost=amount,
        list_unit_price=amount,
        contracted_unit_price=amount,
        pricing_quantity=_ONE_DAY,
        pricing_unit="Days",
        sku_id=cost.id,
        sku_price_id=f"{cost.id}@{cost.valid_from.isoformat()}",
        resource_id=cost.id,
        x_charge_id=charge_id("declared", cost.id, start),
        x_cost_subcategory=cost.subcategory,
        x_model_id=cost.model,
        x_stage=cost.stage,
        x_basis="declared",
    )


def _measured(price: Price, quantity: Decimal, *, period: tuple[datetime, datetime], **rest: Any) -> Charge:
    return _charge(
        currency=price.currency,
        charge_frequency="Usage-Based",
        charge_period_start=period[0],
        charge_period_end=period[1],
        billed_cost=money.rated(price.contracted_unit_price, quantity),
        list_cost=money.rated(price.list_unit_price, quantity),
        list_unit_price=price.list_unit_price,
        contracted_unit_price=price.contracted_unit_price,
        pricing_quantity=quantity,
        pricing_unit=price.unit,
        sku_id=price.sku,
        sku_price_id=price.price_id,
        x_basis="measured",
        **rest,
    )


def _charge(*, month: Month, account: Account, currency: str, category: str, **given: Any) -> Charge:
    """A charge with the columns that follow from others; nothing is prepaid, so effective equals billed."""
    service_category, service_subcategory, service_name = SERVICES[category]
    absent: dict[str, Any] = dict.fromkeys(("x_run_id", "x_step_key", "x_asset_key", "x_business_partition"))
    return Charge(
        billing_account_id=account.account_id,
        billing_account_name=account.name,
        billing_currency=currency,
        billing_period_start=month.start,
        billing_period_end=month.end,
        charge_category="Usage",
        charge_class=None,
        effective_cost=given["billed_cost"],
        contracted_cost=given["billed_cost"],
        pricing_category="Standard",
        consumed_quantity=given["pricing_quantity"],
        consumed_unit=given["pricing_unit"],
        service_category=service_category,
        service_subcategory=service_subcategory,
        service_name=service_name,
        provider_name=LEDGER,
        publisher_name=LEDGER,
        invoice_issuer_name=LEDGER,
        x_revision=1,
        x_corrects_charge_id=None,
        x_cost_category=category,
        x_model_version=None,
        x_team=None,
        x_business_unit=None,
        **(absent | given),
    )


def _until(month: Month, as_of: datetime) -> datetime:
    return min(month.end, max(require_utc(as_of), month.start))
