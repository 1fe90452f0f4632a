"""What the manifests know and no table does: whether all of it was landed, and which columns nobody reads."""

from collections.abc import Iterator, Sequence

import dagster as dg
import duckdb

from athena_assets.nights import Night
from athena_assets.orders.delivered import Discrepancy, discrepancies
from athena_assets.retailer import Retailer
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.landing import Landing
from checks.blocking import check_spec, partitions_of
from checks.contract import Contract
from checks.reporting import Outcome, report
from checks.verdicts import Evaluation
from resources.steps import step
from resources.tables import key_of
from resources.warehouse import Warehouse

NAME = "delivered"
NEW_COLUMNS = "schema_warnings"
RULES = "1"
"""Changes when the check could decide otherwise about the same rows."""


def build_delivered_check(
    retailer: Retailer, accounting: Contract, nights: dg.PartitionsDefinition | None
) -> dg.AssetChecksDefinition:
    """Blocking check `delivered` of the account; of a night also `schema_warnings`, which tells of new columns.

    accounting: the contract of the account, of the nights or of the history.
    nights: the partitions of the nights; None for the history, which ends before the first night.
    """
    key = key_of(accounting)
    words = "rows and money landed over all nights are those that were delivered"
    specs = [check_spec(NAME, key, words, nights, rules_hash=RULES)]
    if nights is not None:
        words = "columns that no contract has and no earlier delivery had: they are not read"
        specs.append(check_spec(NEW_COLUMNS, key, words, nights, rules_hash=RULES, severity="WARN"))

    @dg.multi_asset_check(name=f"check_{accounting.schema}_{accounting.table}_{NAME}", specs=specs, pool="warehouse")
    @step
    def check(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse, landing: dg.ResourceParam[Landing]
    ) -> Iterator[dg.AssetCheckResult]:
        deliveries = landing.deliveries(retailer.source.name)

        def found_in(partition: str | None, connection: duckdb.DuckDBPyConnection) -> list[Outcome]:
            until = Night.parse(partition) if partition is not None else retailer.first_night.plus(-1)
            complete = [each for each in deliveries if each.last_night <= until.day]
            outcome = _outcome(discrepancies(connection, complete), len(complete))
            return [outcome] if partition is None else [outcome, _new_columns(new_columns(deliveries, until))]

        with warehouse.write(settled=False) as connection:
            found = ((each, found_in(each, connection)) for each in partitions_of(context, nights))
            results = report(context, connection, accounting, found)
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


def new_columns(deliveries: Sequence[Delivery], night: Night) -> list[str]:
    """A line for each undeclared column of the night's delivery that no earlier delivery had: it is told once."""
    seen = {line for each in deliveries if each.last_night < night.day for line in each.unread_columns}
    tonight = [each for each in deliveries if each.kind == "nightly" and each.covers(night.day)]
    return [line for each in tonight for line in each.unread_columns if line not in seen]


def _new_columns(lines: Sequence[str]) -> Outcome:
    evaluation = Evaluation(
        check=NEW_COLUMNS,
        rule="columns.undeclared",
        severity="WARN",
        status="failed" if lines else "passed",
        description="; ".join(lines) or "columns that no contract has",
        figure=float(len(lines)),
        low=None,
        high=0.0,
        found=f"{len(lines)} columns",
        allowed="0",
        rows=len(lines),
    )
    return Outcome(
        check=NEW_COLUMNS,
        severity="WARN",
        rules_hash=RULES,
        passed=not lines,
        evaluations=(evaluation,),
        said=evaluation.description if lines else "every column is declared or known to be left out",
        metadata={"columns": len(lines)},
    )
