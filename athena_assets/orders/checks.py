"""The overall account as a blocking check: over all nights, rows and money landed are those delivered."""

from collections.abc import Iterator, Sequence

import dagster as dg

from athena_assets.nights import Night
from athena_assets.orders.delivered import Discrepancy, discrepancies
from athena_assets.retailer import Retailer
from athena_assets.sources.landing import Landing
from checks.blocking import check_spec, partitions_of
from checks.contract import Contract
from checks.reporting import Outcome, report
from checks.verdicts import Evaluation
from resources.steps import step
from resources.tables import key_of
from resources.warehouse import Warehouse

NAME = "delivered"
RULES = "1"
"""Changes when the check could decide otherwise about the same rows."""


def build_delivered_check(
    retailer: Retailer, accounting: Contract, nights: dg.PartitionsDefinition | None
) -> dg.AssetChecksDefinition:
    """Blocking check `delivered` of the account.

    accounting: the contract of the account, of the nights or of the history.
    nights: the partitions of the nights; None for the history, which ends before the first night.
    """
    key = key_of(accounting)
    words = "rows and money landed over all nights are those that were delivered"
    spec = check_spec(NAME, key, words, nights, rules_hash=RULES)

    @dg.multi_asset_check(name=f"check_{accounting.schema}_{accounting.table}_{NAME}", specs=[spec], pool="warehouse")
    @step
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse, landing: dg.ResourceParam[Landing]
    ) -> Iterator[dg.AssetCheckResult]:
        deliveries = landing.deliveries(retailer.source.name)
        outcomes: dict[str | None, list[Outcome]] = {}
        with warehouse.write() as connection:
            for partition in partitions_of(context, nights):
                until = Night.parse(partition) if partition is not None else retailer.first_night.plus(-1)
                complete = [each for each in deliveries if each.last_night <= until.day]
                outcomes[partition] = [_outcome(discrepancies(connection, complete), len(complete))]
            results = report(context, connection, accounting, outcomes)
        yield from results

    return check


def _outcome(found: Sequence[Discrepancy], deliveries: int) -> Outcome:
    """What the check says of so many deliveries, of which some do not reconcile."""
    evaluation = Evaluation(
        check=NAME,
        rule="deliveries.reconcile",
        severity="ERROR",
        status="failed" if found else "passed",
        description="; ".join(map(str, found)) or "deliveries that do not reconcile with their manifests",
        figure=float(len(found)),
        low=None,
        high=0.0,
        found=f"{len(found)} of {deliveries} deliveries",
        allowed="0",
        rows=deliveries,
    )
    return Outcome(
        check=NAME,
        severity="ERROR",
        rules_hash=RULES,
        passed=not found,
        evaluations=(evaluation,),
        said="; ".join(map(str, found)) or f"{deliveries} deliveries reconcile with their manifests",
        metadata={"deliveries": deliveries, "discrepancies": len(found)},
    )
