"""The bill as assets: usage -> charges -> TCO per model -> the published page, for the month to date.

A charge belongs to the wall clock in which the resource was used, so these tables are not partitioned by night:
each run replaces the current month up to now. This is the edge that reads the clock for the modules of `cost/`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

import dagster as dg

from athena_assets.atomic import replace_text
from checks.contract import Contract
from checks.contract_files import load_contract
from checks.needs import order_only
from checks.verdicts import last_write, stamp_all
from cost import book, charges, declared, focus, ledger, report, storage, tco, usage
from cost.money import one_currency, rounded
from cost.period import Month
from cost.rate_card import RateCard
from resources.attached import tidy
from resources.meter import Meter
from resources.rows import insert_rows
from resources.settings import Settings
from resources.steps import step
from resources.tables import SHARED, ensure_table, materialisation, table_spec
from resources.warehouse import Warehouse

GROUP = "cost"
COST_CENTER = "finance"
VERSION = "1"
PAGE = "tco.html"
TIDIED_AFTER = 150
"""Writes of partitions, some seven nights of them, after which the bill, which comes last, tidies the warehouse."""


def cost_contracts() -> dict[str, Contract]:
    """Contracts of the cost tables, in the order of the bill."""
    return {name: load_contract(f"cost.{name}") for name in ("usage", "charge", "tco")}


def build_cost_assets(models: Sequence[str], published: Sequence[dg.AssetKey]) -> list[dg.AssetsDefinition]:
    """`cost.usage`, `cost.charge`, `cost.tco` in one step, and the page that finance opens.

    models: names of all models, who share what is not one's own.
    published: keys of the published predictions, whose rows are the denominator of unit costs.
    """
    contracts = cost_contracts()
    keys = {name: dg.AssetKey(["cost", name]) for name in contracts}
    # The bill reads the meter, not the predictions: a night that was stopped has cost money too.
    inputs: Mapping[str, Sequence[dg.AssetDep | dg.AssetKey]] = {
        "usage": [order_only(key) for key in published],
        "charge": [keys["usage"]],
        "tco": [keys["charge"]],
    }
    specs = [
        table_spec(
            contract,
            group=GROUP,
            stage="monitoring",
            deps=inputs[name],
            cost_center=COST_CENTER,
            code_version=VERSION,
        )
        for name, contract in contracts.items()
    ]

    @dg.multi_asset(name="month_to_date", specs=specs, pool="warehouse")
    @step
    def month_to_date(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        settings: dg.ResourceParam[Settings],
        meter: dg.ResourceParam[Meter],
    ) -> Iterator[dg.MaterializeResult]:
        as_of = datetime.now(UTC)
        month = Month.of(as_of)
        meter.record_storage(context.run.run_id, storage.look(settings.home, as_of))
        used = usage.load(meter.path, month)
        charged = charges_of(used, month, as_of)
        rolled_up = tco.roll_up(charged, models=models, month=month, as_of=as_of, currency=RateCard.load().currency)
        in_month = usage.in_month(used, month)
        start = month.start.date()
        rows: Mapping[str, list[tuple[object, ...]]] = {
            "usage": [(start, *row) for row in usage.warehouse_rows(in_month)],
            "charge": focus.warehouse_rows(charged),
            "tco": rolled_up.warehouse_rows(),
        }
        of_month = {
            "usage": "month = $month",
            "charge": 'CAST("BillingPeriodStart" AS DATE) = $month',
            "tco": "month = $month",
        }
        with warehouse.write() as connection:
            last_bill = last_write(connection, contracts["tco"].address)
            numbers = stamp_all(connection, contracts.values(), None, context.run.run_id)
            if last_bill // TIDIED_AFTER < numbers[-1] // TIDIED_AFTER:
                tidy(connection)
            for name, contract in contracts.items():
                ensure_table(connection, contract)
                connection.execute(f"DELETE FROM {contract.address} WHERE {of_month[name]}", {"month": start})
                insert_rows(connection, contract, rows[name])
        figures = {
            "total": str(rounded(rolled_up.total, rolled_up.currency)),
            "currency": rolled_up.currency,
            "month": month.key,
        }
        for name, contract in contracts.items():
            yield materialisation(
                contract,
                len(rows[name]),
                figures=figures if name == "tco" else {},
            )

    return [month_to_date, _page(models, list(keys.values()))]


def _page(models: Sequence[str], bill: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """`published/tco`: the page, downstream of the blocking checks of the bill."""
    spec = dg.AssetSpec(
        dg.AssetKey(["published", "tco"]),
        description="The TCO page for finance: one self-contained HTML file, open and unreconciled.",
        group_name=GROUP,
        kinds={"html"},
        owners=["team:model-platform"],
        tags={"model": SHARED, "cost_center": COST_CENTER, "stage": "monitoring"},
        deps=bill,
        code_version=VERSION,
    )

    @dg.multi_asset(name="tco_page", specs=[spec], pool="warehouse")
    @step
    def tco_page(
        context: dg.AssetExecutionContext, warehouse: Warehouse, settings: dg.ResourceParam[Settings]
    ) -> dg.MaterializeResult:
        with warehouse.read() as connection:
            month = ledger.latest_month(connection)
            charged = ledger.read_charges(connection, month)
            rolled_up = ledger.read_tco(connection, month, tuple(models))
            predictions = ledger.predictions_of(connection, month, tuple(models))
            unmeasured = ledger.runs_without_total(connection, month, but=context.run.run_id)
        text = report.render(
            rolled_up,
            charged,
            card=RateCard.load(),
            declared=declared.load(),
            book=book.work_out(month.start.year),
            predictions=predictions,
            runs_without_total=unmeasured,
        )
        path = settings.published / PAGE
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_text(path, text)
        return dg.MaterializeResult(
            asset_key=spec.key,
            metadata={
                "dagster/uri": path.as_uri(),
                "total": f"{rounded(rolled_up.total, rolled_up.currency)} {rolled_up.currency}",
                "bytes": len(text.encode()),
            },
        )

    return tco_page


def charges_of(used: Sequence[usage.Usage], month: Month, as_of: datetime) -> list[focus.Charge]:
    """Every charge of the month up to `as_of`: metered, stored and declared."""
    card = RateCard.load()
    people = declared.load()
    one_currency([card.currency, *(cost.currency for cost in people)])
    return focus.ordered(
        [
            *charges.from_usage(used, card, month, as_of),
            *charges.from_storage(storage.snapshots(used), card, month, as_of),
            *charges.from_declared(people, month, as_of),
        ]
    )
