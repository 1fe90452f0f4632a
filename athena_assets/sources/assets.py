"""Raw tables as assets: what was delivered, landed as bulk history once and as one partition per night."""

from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import duckdb

from athena_assets.contracts import raw_contracts
from athena_assets.nights import Night
from athena_assets.pins import USE_CURRENT, refuse_other_deliveries
from athena_assets.retailer import Retailer
from athena_assets.sources.aliases import read_aliases, with_accepted
from athena_assets.sources.corrections import Corrections, corrections
from athena_assets.sources.deliveries import Delivery, snapshot_of, snapshot_until
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import Source
from checks.contract import Contract
from checks.verdicts import stamp
from resources.settings import Settings
from resources.steps import step
from resources.tables import ensure_table, materialisation, table_spec
from resources.warehouse import Warehouse, transaction

GROUP = "sources"
VERSION = "1"


def build_raw_history(retailer: Retailer) -> dg.AssetsDefinition:
    """`raw.<table>_history`: every row that was known before the first night."""
    contracts = {table: contract.twin() for table, contract in raw_contracts(retailer).items()}
    specs = [
        table_spec(contract, group=GROUP, stage="pipeline", code_version=VERSION) for contract in contracts.values()
    ]

    @dg.multi_asset(name="land_history", specs=specs, pool="warehouse")
    @step
    def land_history(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        landing: dg.ResourceParam[Landing],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        delivered = retailer.history_in(landing) or landing.bulk(retailer.source.name)
        with warehouse.get_connection() as connection:
            yield from _land(
                context,
                connection,
                landing,
                _source_now(retailer, settings),
                contracts,
                delivered,
                keep="night < CAST($first_run_night AS DATE)",
                replace="true",
                parameters={"first_run_night": retailer.first_night.day},
            )

    return land_history


def build_raw_nights(retailer: Retailer, nights: dg.PartitionsDefinition, models: Sequence[str]) -> dg.AssetsDefinition:
    """`raw.<table>`: one partition per night, from every delivery that covers it.

    A night of which all the models have been published is landed from the deliveries it was published from, or not
    at all: its rows stay what was published until somebody says `--current`.
    """
    contracts = raw_contracts(retailer)
    specs = [
        table_spec(contract, group=GROUP, stage="pipeline", code_version=VERSION, partitions_def=nights)
        for contract in contracts.values()
    ]

    @dg.multi_asset(name="land_night", specs=specs, pool="warehouse")
    @step
    def land_night(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        landing: dg.ResourceParam[Landing],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        night = Night.parse(context.partition_key)
        snapshot = snapshot_until(landing.deliveries(retailer.source.name), night)
        covering = landing.covering(retailer.source.name, night)
        with warehouse.get_connection() as connection:
            if context.run.tags.get(USE_CURRENT) != "true":
                refuse_other_deliveries(connection, night, models=models, snapshot=snapshot)
            yield from _land(
                context,
                connection,
                landing,
                _source_now(retailer, settings),
                contracts,
                covering or [landing.for_night(retailer.source.name, night)],
                keep="night = CAST($this_night AS DATE)",
                replace="night = CAST($this_night AS DATE)",
                parameters={"this_night": night.day},
            )

    return land_night


def _source_now(retailer: Retailer, settings: Settings) -> Source:
    """The source with what has been accepted since the code location was loaded: a web server lives for weeks."""
    return with_accepted(retailer.source, read_aliases(settings.home))


def _land(
    context: dg.AssetExecutionContext,
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    source: Source,
    contracts: Mapping[str, Contract],
    deliveries: Sequence[Delivery],
    *,
    keep: str,
    replace: str,
    parameters: Mapping[str, object],
) -> Iterator[dg.MaterializeResult]:
    """Replace each raw table's rows by those of the deliveries, one transaction a table on one connection."""
    partition = context.partition_key if context.has_partition_key else None
    for table, contract in contracts.items():
        with transaction(connection):
            ensure_table(connection, contract)
            stamp(connection, contract, partition, context.run.run_id)
            used = dict(parameters) if "$" in replace else {}
            connection.execute(f"DELETE FROM {contract.address} WHERE {replace}", used)
            rows = sum(
                _insert(connection, landing, source, delivery, table, contract, keep, parameters)
                for delivery in deliveries
            )
            rewritten = _rewritten(connection, landing, source, deliveries, table, contract)
        context.log.info("%s: %d rows of %d deliveries", contract.address, rows, len(deliveries))
        if rewritten is not None and rewritten.any:
            context.log.warning("%s: the full extract tells earlier nights otherwise: %s", contract.address, rewritten)
        yield materialisation(
            contract,
            rows,
            figures={
                "deliveries": dg.MetadataValue.json([delivery.delivery_id for delivery in deliveries]),
                **(rewritten.figures if rewritten is not None else {}),
            },
            data_version=snapshot_of(deliveries),
        )


def _insert(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    source: Source,
    delivery: Delivery,
    table: str,
    contract: Contract,
    keep: str,
    parameters: Mapping[str, object],
) -> int:
    inserted = 0
    for select in landing.raw_selects(connection, source, delivery, table):
        ((rows,),) = connection.execute(
            f"INSERT INTO {contract.address} BY NAME SELECT * FROM ({select.sql}) WHERE {keep}",
            {**select.parameters, **parameters},
        ).fetchall()
        inserted += int(rows)
    return inserted


def _rewritten(
    connection: duckdb.DuckDBPyConnection,
    landing: Landing,
    source: Source,
    deliveries: Sequence[Delivery],
    table: str,
    contract: Contract,
) -> Corrections | None:
    """What the night's full extract says of earlier nights; None where the table comes as increments."""
    for delivery in deliveries:
        if source.repeats_earlier_nights(table, delivery.kind):
            ensure_table(connection, contract.twin())
            selects = landing.raw_selects(connection, source, delivery, table)
            return corrections(connection, table, selects, Night(delivery.last_night))
    return None
