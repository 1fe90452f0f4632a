"""Clean tables as assets: raw rows judged by the source's rules, kept or quarantined, and accounted for."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg
import duckdb

from athena_assets.contracts import clean_contracts, known_columns
from athena_assets.lineage import column_lineage, tables_read
from athena_assets.nights import Night
from athena_assets.orders.cleaning import clean_statements
from athena_assets.orders.continuity import refuse_gaps, refuse_outdated
from athena_assets.orders.fingerprints import ORDER_NIGHTS, make_order_nights
from athena_assets.orders.statements import CleanStatement, Scope, make_facts
from athena_assets.retailer import Retailer
from athena_assets.sources.deliveries import Delivery, snapshot_of
from athena_assets.sources.landing import Landing
from checks.contract import Contract
from checks.verdicts import stamp_all, standing_writes
from resources.settings import Settings
from resources.steps import step
from resources.tables import ensure_table, materialisation, table_spec
from resources.warehouse import Warehouse, replace_rows

GROUP = "orders"


def build_clean_history(retailer: Retailer) -> dg.AssetsDefinition:
    """`orders.<table>_history`: the bulk history, cleaned."""
    contracts = {table: contract.twin() for table, contract in clean_contracts(retailer).items()}

    @dg.multi_asset(name="clean_history", specs=_specs(retailer, contracts, Scope.history(), None), pool="warehouse")
    @step
    def clean_history(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        landing: dg.ResourceParam[Landing],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        deliveries = retailer.history_in(landing)
        yield from _clean(context, warehouse, settings, retailer, contracts, Scope.history(), deliveries)

    return clean_history


def build_clean_nights(retailer: Retailer, nights: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    """`orders.<table>`: what one night brought, cleaned with the earlier nights in view."""
    contracts = clean_contracts(retailer)
    any_night = Scope.of_night(retailer.first_night)

    @dg.multi_asset(name="clean_night", specs=_specs(retailer, contracts, any_night, nights), pool="warehouse")
    @step
    def clean_night(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        landing: dg.ResourceParam[Landing],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        night = Night.parse(context.partition_key)
        deliveries = landing.deliveries(retailer.source.name)
        with warehouse.read() as connection:
            refuse_gaps(connection, deliveries=deliveries, first_night=retailer.first_night, until=night)
            refuse_outdated(connection, deliveries=deliveries, before=night)
        covering = [delivery for delivery in deliveries if delivery.covers(night.day)]
        yield from _clean(context, warehouse, settings, retailer, contracts, Scope.of_night(night), covering)

    return clean_night


def _specs(
    retailer: Retailer,
    contracts: Mapping[str, Contract],
    scope: Scope,
    partitions: dg.PartitionsDefinition | None,
) -> list[dg.AssetSpec]:
    texts = "".join(statement.whole for statement in clean_statements(retailer.source, Scope.history()))
    version = hashlib.sha256(texts.encode()).hexdigest()[:12]
    tables = [address for address, _ in known_columns(retailer)]
    reads = {
        statement.table: [
            dg.AssetKey(address.split("."))
            for address in tables_read(statement.whole, tables)
            if address != statement.target
        ]
        for statement in clean_statements(retailer.source, scope)
    }
    return [
        table_spec(
            contract,
            group=GROUP,
            stage="pipeline",
            kinds=("duckdb", "sql"),
            deps=reads[table],
            code_version=version,
            partitions_def=partitions,
            # A night is judged with the earlier ones in view: what was delivered again, which order is known.
            reads_own_earlier=partitions is not None,
        )
        for table, contract in contracts.items()
    ]


def _clean(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    settings: Settings,
    retailer: Retailer,
    contracts: Mapping[str, Contract],
    scope: Scope,
    deliveries: Sequence[Delivery],
) -> Iterator[dg.MaterializeResult]:
    """Run every statement of the scope in one transaction, then report each table."""
    statements = clean_statements(retailer.source, scope)
    rows: dict[str, int] = {}
    with warehouse.write() as connection:
        ensure_clean_tables(connection, retailer)
        night = scope.night.isoformat() if scope.night else None
        stamp_all(connection, contracts.values(), night, context.run.run_id)
        made = _facts_at_hand(connection, scope, statements)
        for statement in statements:
            make_facts(connection, statement, made)
            rows[statement.table] = replace_rows(
                connection,
                statement.target,
                statement.select,
                {**statement.parameters, "night": scope.night},
                where=scope.condition,
            )
        _book_empty_tables(connection, retailer, scope, deliveries)
        quarantined = dict(
            connection.execute(
                f"SELECT reason_code, count(*) FROM orders.quarantine{scope.suffix} WHERE {scope.condition}"
                " GROUP BY reason_code ORDER BY reason_code",
                scope.parameters_of(scope.condition),
            ).fetchall()
        )
        rows["accounting"], accounts = _accounts(connection, scope)
    figures: dict[str, Mapping[str, int | dg.MetadataValue]] = {
        "quarantine": {"reasons": dg.MetadataValue.json(quarantined)},
        "accounting": accounts,
    }
    for statement in statements:
        yield materialisation(
            contracts[statement.table],
            rows[statement.table],
            lineage=column_lineage(statement.whole, known_columns(retailer), settings.cache),
            figures=figures.get(statement.table),
            data_version=snapshot_of(deliveries),
        )
    context.log.info("kept %d order lines, quarantined %d rows", rows["order_lines"], rows["quarantine"])


def _facts_at_hand(
    connection: duckdb.DuckDBPyConnection, scope: Scope, statements: Sequence[CleanStatement]
) -> set[str]:
    """Make what is known without reading all earlier lines, where a statement reads it; returns the facts' names."""
    read = {fact.name for statement in statements for fact in statement.facts}
    if scope.night is None or ORDER_NIGHTS not in read:
        return set()
    return make_order_nights(connection, Night(scope.night), standing_writes(connection))


def ensure_clean_tables(connection: duckdb.DuckDBPyConnection, retailer: Retailer) -> None:
    """Make both twins of every clean table, and the views `orders.all_<table>` that unite them."""
    for table, contract in clean_contracts(retailer).items():
        ensure_table(connection, contract)
        ensure_table(connection, contract.twin())
        columns = ", ".join(f'"{column.name}"' for column in contract.columns)
        connection.execute(
            f"CREATE OR REPLACE VIEW orders.all_{table} AS SELECT {columns} FROM {contract.twin().address}"
            f" UNION ALL SELECT {columns} FROM {contract.address}"
        )


def _book_empty_tables(
    connection: duckdb.DuckDBPyConnection, retailer: Retailer, scope: Scope, deliveries: Sequence[Delivery]
) -> None:
    """Account for tables of a delivery that brought no row, so that "nothing came" is not "nobody looked"."""
    for delivery in deliveries:
        night = scope.night or delivery.first_night
        for table in retailer.raw_tables:
            connection.execute(
                f"INSERT INTO orders.accounting{scope.suffix} SELECT $night, $delivery, $table, 0, 0, 0, 0, 0, 0, 0"
                f" WHERE NOT EXISTS (SELECT 1 FROM orders.accounting{scope.suffix}"
                " WHERE delivery_id = $delivery AND table_name = $table AND ($whole OR night = $night))",
                {
                    "night": night,
                    "delivery": delivery.delivery_id,
                    "table": table,
                    "whole": scope.night is None,
                },
            )


def _accounts(connection: duckdb.DuckDBPyConnection, scope: Scope) -> tuple[int, dict[str, int]]:
    """How many lines the scope's account has, and what it adds up to."""
    names = ("rows_in", "rows_kept", "rows_quarantined")
    ((lines, *sums),) = connection.execute(
        f"SELECT count(*), {', '.join(f'coalesce(sum({name}), 0)' for name in names)}"
        f" FROM orders.accounting{scope.suffix} WHERE {scope.condition}",
        scope.parameters_of(scope.condition),
    ).fetchall()
    return int(lines), {name: int(total) for name, total in zip(names, sums, strict=True)}
