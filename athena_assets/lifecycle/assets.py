"""A model folder as assets: training set, trained artifact, evaluation behind the gate, registered version.

The factory names no model; every folder under `models/` becomes the same family.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from athena_assets.features.feature_set import FeatureSet
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.model_tables import ModelTables
from athena_assets.lifecycle.registration import judged_artifact, register_and_promote
from athena_assets.lifecycle.training_run import code_version, run_training
from athena_assets.lifecycle.training_set import model_features, snapshot_days, training_rows
from athena_assets.lineage import through_views
from athena_assets.nights import Night
from athena_assets.orders.continuity import (
    refuse_gaps,
    refuse_outdated,
    refuse_outdated_training,
    sources_of_training,
)
from athena_assets.retailer import Retailer
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.landing import Landing
from checks.contract import Contract
from checks.verdicts import sources_of, stamp
from resources.registry import ModelRegistry
from resources.rows import insert_rows
from resources.settings import Settings
from resources.steps import step
from resources.tables import ensure_table, key_of, materialisation, table_spec
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

OF_MONTH = "month = CAST($month AS DATE)"


def training_as_of(month: str) -> datetime:
    """The instant at which training of a month (`YYYY-MM-01`) stands: the midnight that ends it."""
    first = datetime.fromisoformat(month)
    return (first + timedelta(days=32)).replace(day=1)


def candidate_folder(settings: Settings, model: str, month: str) -> Path:
    """Where a training leaves its artifact and report until they are registered."""
    return settings.home / "registry" / "candidates" / model / month


def build_model_assets(
    spec: ModelSpec,
    feature_set: FeatureSet,
    retailer: Retailer,
    months: dg.PartitionsDefinition,
    inputs: Sequence[dg.AssetDep],
) -> list[dg.AssetsDefinition]:
    """Training set, training and registration of one model.

    inputs: the clean tables that the labels and features read.
    """
    tables = ModelTables.of(spec, feature_set)
    return [
        _training_set(spec, feature_set, retailer, tables, months, inputs),
        _training(spec, feature_set, retailer, tables, months),
        _registration(spec, retailer, tables, months),
    ]


def _spec(
    contract: Contract, spec: ModelSpec, months: dg.PartitionsDefinition, deps: Sequence[dg.AssetDep | dg.AssetKey]
) -> dg.AssetSpec:
    return table_spec(
        contract,
        group=f"model_{spec.name}",
        stage="training",
        kinds=("duckdb", "xgboost") if contract.table == "trained" else ("duckdb",),
        deps=deps,
        model=spec.name,
        cost_center=spec.business_unit,
        code_version=code_version(spec),
        partitions_def=months,
    )


def _training_set(
    spec: ModelSpec,
    feature_set: FeatureSet,
    retailer: Retailer,
    tables: ModelTables,
    months: dg.PartitionsDefinition,
    inputs: Sequence[dg.AssetDep],
) -> dg.AssetsDefinition:
    contract = tables.training_set
    features = model_features(spec, feature_set)

    @dg.multi_asset(name=f"{spec.name}_training_set", specs=[_spec(contract, spec, months, inputs)], pool="warehouse")
    @step
    def training_set(
        context: dg.AssetExecutionContext, warehouse: Warehouse, landing: dg.ResourceParam[Landing]
    ) -> dg.MaterializeResult:
        as_of = training_as_of(context.partition_key)
        cutoff = Night.of_as_of(as_of).cutoff
        deliveries, until = landing.deliveries(retailer.source.name), Night(as_of.date())
        month = {"month": context.partition_key}
        with warehouse.write() as connection:
            refuse_gaps(connection, deliveries=deliveries, first_night=retailer.first_night, until=until)
            refuse_outdated(connection, deliveries=deliveries, before=until)
            days = snapshot_days(connection, spec, as_of)
            ensure_table(connection, contract)
            sources = sources_of_training(deliveries, until)
            stamp(connection, contract, context.partition_key, context.run.run_id, sources=sources)
            connection.execute(f"DELETE FROM {contract.address} WHERE {OF_MONTH}", month)
            chosen = training_rows(connection, spec, features.as_corrected_in(connection), days, label_cutoff=cutoff)
            for select in chosen.selects:
                connection.execute(
                    f"INSERT INTO {contract.address} BY NAME"
                    f" SELECT CAST($month AS DATE) AS month, * FROM ({select.sql})",
                    {**select.parameters, **month},
                )
            ((rows, rate),) = connection.execute(
                f"SELECT count(*), avg(label) FROM {contract.address} WHERE {OF_MONTH}", month
            ).fetchall()
        lineage = {**through_views(features.lineage), "label": _label_columns()}
        return materialisation(
            contract,
            int(rows),
            lineage=lineage,
            figures={
                "snapshots": len(days),
                "label_rate": float(rate),
                "population_rows": chosen.population_rows,
            },
        )

    return training_set


def _label_columns() -> tuple[tuple[str, str], ...]:
    views = {"label": tuple(("orders.all_orders", name) for name in ("customer_id", "is_return", "order_ts"))}
    return through_views(views)["label"]


def _refuse_outdated(
    connection: "duckdb.DuckDBPyConnection", training_set: str, month: str, deliveries: Sequence[Delivery]
) -> None:
    """Refuse to go on from a training set, by address, that does not rest on what counts today."""
    seen, until = sources_of(connection, training_set, month), Night(training_as_of(month).date())
    refuse_outdated_training(seen, deliveries=deliveries, until=until, month=month)


def _training(
    spec: ModelSpec,
    feature_set: FeatureSet,
    retailer: Retailer,
    tables: ModelTables,
    months: dg.PartitionsDefinition,
) -> dg.AssetsDefinition:
    features = model_features(spec, feature_set)
    trained_key = key_of(tables.trained)
    specs = [
        _spec(tables.trained, spec, months, [key_of(tables.training_set)]),
        _spec(tables.evaluation, spec, months, [trained_key]),
    ]

    @dg.multi_asset(name=f"{spec.name}_training", specs=specs, pool="warehouse")
    @step
    def training(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        settings: dg.ResourceParam[Settings],
        landing: dg.ResourceParam[Landing],
    ) -> Iterator[dg.MaterializeResult]:
        deliveries = landing.deliveries(retailer.source.name)
        month = {"month": context.partition_key}
        columns = ", ".join(f'"{name}"' for name in ("as_of", "customer_id", "label", *features.columns))
        with warehouse.read() as connection:
            _refuse_outdated(connection, tables.training_set.address, context.partition_key, deliveries)
            table: pa.Table = connection.sql(
                f"SELECT {columns} FROM {tables.training_set.address} WHERE {OF_MONTH} ORDER BY as_of, customer_id",
                params=month,
            ).to_arrow_table()
        run = run_training(spec, features, table, candidate_folder(settings, spec.name, context.partition_key))
        first = datetime.fromisoformat(context.partition_key).date()
        manifest = run.artifact.manifest
        trained_row = (
            first,
            run.artifact.version,
            run.trained.data_sha256,
            features.version,
            table.num_rows,
            ",".join(manifest["training_snapshots"]),
            manifest["judged_on"],
        )
        rows = run.evaluation_rows()
        with warehouse.write() as connection:
            for contract, content in (
                (tables.trained, [trained_row]),
                (tables.evaluation, [(first, *row) for row in rows]),
            ):
                ensure_table(connection, contract)
                stamp(connection, contract, context.partition_key, context.run.run_id)
                connection.execute(f"DELETE FROM {contract.address} WHERE {OF_MONTH}", month)
                insert_rows(connection, contract, content)
        metrics = {name: float(estimate.value) for name, estimate in run.judged.report.metrics.items()}
        baselines = {f"auc_{result.name}": float(result.auc.value) for result in run.judged.report.baselines}
        yield materialisation(
            tables.trained,
            1,
            figures={
                "training_rows": table.num_rows,
                "size_bytes": run.packaging.size_bytes,
                "latency_p99_ms": run.packaging.latency_p99_ms,
                "onnx_difference": run.packaging.largest_difference,
            },
            data_version=run.artifact.version,
        )
        yield materialisation(
            tables.evaluation,
            len(rows),
            figures={
                **metrics,
                **baselines,
                "mean_probability": run.judged.report.mean_probability,
                "label_rate": run.judged.report.label_rate,
                "against_baselines": dg.MetadataValue.md(
                    "\n".join(f"- {result.words}" for result in run.judged.report.baselines)
                ),
            },
        )

    return training


def _registration(
    spec: ModelSpec, retailer: Retailer, tables: ModelTables, months: dg.PartitionsDefinition
) -> dg.AssetsDefinition:
    contract = tables.registered

    @dg.multi_asset(
        name=f"{spec.name}_registered",
        specs=[_spec(contract, spec, months, [key_of(tables.trained), key_of(tables.evaluation)])],
        pool="warehouse",
    )
    @step
    def registered(
        context: dg.AssetExecutionContext,
        warehouse: Warehouse,
        settings: dg.ResourceParam[Settings],
        registry: dg.ResourceParam[ModelRegistry],
        landing: dg.ResourceParam[Landing],
    ) -> dg.MaterializeResult:
        deliveries = landing.deliveries(retailer.source.name)
        month, run_id = context.partition_key, context.run.run_id
        folder = candidate_folder(settings, spec.name, month)
        first = datetime.fromisoformat(month).date()
        with warehouse.write() as connection:
            _refuse_outdated(connection, tables.training_set.address, month, deliveries)
            artifact = judged_artifact(connection, tables.trained.address, folder, month)
            ensure_table(connection, contract)
            # Before the promotion, which no transaction takes back: it refuses what has changed since the gate's look.
            stamp(connection, contract, month, run_id)
            version, stage, reason = register_and_promote(
                spec, registry, artifact, month=month, run_id=run_id, actor=settings.actor
            )
            connection.execute(f"DELETE FROM {contract.address} WHERE {OF_MONTH}", {"month": month})
            insert_rows(connection, contract, [(first, version, stage, reason)])
        return materialisation(
            contract, 1, figures={"version": version, "stage": stage, "reason": reason}, data_version=version
        )

    return registered
