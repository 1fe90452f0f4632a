"""The overall account as a blocking check: over all nights, rows and money landed are those delivered."""

import dagster as dg

from athena_assets.nights import Night
from athena_assets.orders.delivered import discrepancies
from athena_assets.retailer import Retailer
from athena_assets.sources.landing import Landing
from checks.blocking import blocking_check
from checks.contract import Contract
from resources.steps import step
from resources.tables import key_of
from resources.warehouse import Warehouse

NAME = "delivered"


def build_delivered_check(
    retailer: Retailer, accounting: Contract, nights: dg.PartitionsDefinition | None
) -> dg.AssetChecksDefinition:
    """Blocking check `delivered` of the account.

    accounting: the contract of the account, of the nights or of the history.
    nights: the partitions of the nights; None for the history, which ends before the first night.
    """
    key = key_of(accounting)
    spec = blocking_check(NAME, key, "rows and money landed over all nights are those that were delivered", nights)

    @dg.multi_asset_check(name=f"check_{accounting.schema}_{accounting.table}_{NAME}", specs=[spec], pool="warehouse")
    @step
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse, landing: dg.ResourceParam[Landing]
    ) -> dg.AssetCheckResult:
        until = Night.parse(context.partition_key) if nights is not None else retailer.first_night.plus(-1)
        complete = [each for each in landing.deliveries(retailer.source.name) if each.last_night <= until.day]
        with warehouse.read() as connection:
            found = discrepancies(connection, complete)
        return dg.AssetCheckResult(
            asset_key=key,
            check_name=NAME,
            passed=not found,
            severity=dg.AssetCheckSeverity.ERROR,
            description="; ".join(map(str, found)) or f"{len(complete)} deliveries reconcile with their manifests",
            metadata={"deliveries": len(complete), "discrepancies": len(found)},
        )

    return check
