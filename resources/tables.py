"""A contract as a Dagster asset: its specification, and the metadata of one materialisation.

Every asset that is a table is made here, so that none lacks a description, owner, kinds, group, column schema,
table name, or the tags `model` and `cost_center` (docs/architecture.md, rule 11).
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg
import duckdb

from athena_assets.errors import AthenaError
from athena_assets.lineage import ColumnLineage
from athena_assets.sql import columns_of, has_table
from checks.contract import Contract
from checks.needs import OWN_EARLIER

SHARED = "shared"
"""Value of the tag `model` for an asset that serves every model."""


class TableDiffers(AthenaError):
    """The table in the warehouse was made under another version of its contract."""


def key_of(contract: Contract) -> dg.AssetKey:
    """The asset key: the table's address."""
    return dg.AssetKey([contract.schema, contract.table])


def table_spec(
    contract: Contract,
    *,
    group: str,
    stage: str,
    kinds: Iterable[str] = ("duckdb",),
    deps: Iterable[dg.AssetDep | dg.AssetKey] = (),
    model: str = SHARED,
    cost_center: str = "data-platform",
    code_version: str,
    partitions_def: dg.PartitionsDefinition | None = None,
    reads_own_earlier: bool = False,
) -> dg.AssetSpec:
    """The asset of a contract's table.

    Parameters
    ----------
    group: the group that the UI draws it in.
    stage: what its cost is booked under (pipeline, training, inference, monitoring).
    reads_own_earlier: whether a partition is computed from earlier ones of this asset; the gate then asks for them.
    code_version: changes when the code that computes the table does; the contract's own hash is added.
    """
    columns = [
        dg.TableColumn(
            name=column.name,
            type=column.type,
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=not column.required),
        )
        for column in contract.columns
    ]
    metadata: dict[str, object] = {
        "dagster/table_name": contract.address,
        "dagster/column_schema": dg.TableSchema(columns=columns),
        "contract_version": contract.version,
        "grain": contract.grain,
        "consumers": ", ".join(contract.consumers),
    }
    if contract.partitioned_by is not None:
        metadata["partition_expr"] = contract.partitioned_by
    if reads_own_earlier:
        metadata[OWN_EARLIER] = True
    return dg.AssetSpec(
        key_of(contract),
        description=" ".join(_sentences(contract, model)),
        group_name=group,
        kinds=set(kinds),
        owners=[f"team:{contract.owner.replace(' ', '-')}"],
        tags={"model": model, "cost_center": cost_center, "stage": stage},
        metadata=metadata,
        deps=list(deps),
        code_version=f"{code_version}.{contract.hash}",
        partitions_def=partitions_def,
    )


def _sentences(contract: Contract, model: str) -> Iterator[str]:
    """What the UI says about a table; history and nights share a contract, and models a template."""
    yield contract.description
    if contract.table.endswith("_history"):
        yield "The bulk history, before the first night."
    if model != SHARED:
        yield f"Model: {model}."
    yield f"Grain: {contract.grain}."


def materialisation(
    contract: Contract,
    rows: int,
    *,
    lineage: ColumnLineage | None = None,
    figures: Mapping[str, int | float | str | dg.MetadataValue] | None = None,
    data_version: str | None = None,
) -> dg.MaterializeResult:
    """What one materialisation reports: rows, lineage of its columns, and the figures that the UI plots."""
    metadata: dict[str, Any] = {
        "dagster/table_name": contract.address,
        "dagster/row_count" if contract.partitioned_by is None else "dagster/partition_row_count": rows,
        **{name: _readable(figure) for name, figure in (figures or {}).items()},
    }
    if lineage:
        metadata["dagster/column_lineage"] = dg.TableColumnLineage(
            {
                column: [
                    dg.TableColumnDep(asset_key=dg.AssetKey(address.split(".")), column_name=name)
                    for address, name in dict.fromkeys(sources)
                ]
                for column, sources in lineage.items()
            }
        )
        # The open-source UI hides the reserved entry above; this one a person can open.
        metadata["lineage"] = dg.MetadataValue.md(_lineage_table(lineage))
    return dg.MaterializeResult(
        asset_key=key_of(contract),
        metadata=metadata,
        data_version=dg.DataVersion(data_version) if data_version else None,
    )


def _readable(figure: int | float | str | dg.MetadataValue) -> int | float | str | dg.MetadataValue:
    """A float to six significant digits; anything else as it is."""
    return float(f"{figure:.6g}") if isinstance(figure, float) else figure


def _lineage_table(lineage: ColumnLineage) -> str:
    """Column lineage as Markdown, table by table, a history and its nights as one: `orders.orders[_history]`."""
    lines = ["| column | computed from |", "|---|---|"]
    for column, sources in lineage.items():
        of_table: dict[str, list[str]] = {}
        for address, name in dict.fromkeys(sources):
            nightly = address.removesuffix("_history")
            if address != nightly and (nightly, name) in sources:
                continue
            twin = "[_history]" if (f"{address}_history", name) in sources else ""
            of_table.setdefault(address + twin, []).append(name)
        words = "; ".join(f"{table}: {', '.join(names)}" for table, names in of_table.items())
        lines.append(f"| {column} | {words or '–'} |")
    return "\n".join(lines)


def ensure_table(connection: duckdb.DuckDBPyConnection, contract: Contract) -> None:
    """Create the table, or add the columns that a newer contract has; any other difference is an error.

    Added columns are null in old rows. A removed or retyped column needs a person: raises `TableDiffers`.
    """
    if not has_table(connection, contract.address):
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {contract.schema}")
        connection.execute(contract.ddl())
    actual = columns_of(connection, contract.address)
    for column in contract.columns:
        if column.name not in actual:
            connection.execute(f'ALTER TABLE {contract.address} ADD COLUMN "{column.name}" {column.type}')
        elif actual[column.name] != column.type:
            raise TableDiffers(
                f"{contract.address}.{column.name} has another type in the warehouse than in its contract",
                expected=column.type,
                found=actual[column.name],
                next_command=f"migrate the column by hand, or drop {contract.address} and materialise it again",
            )
    surplus = sorted(set(actual) - {column.name for column in contract.columns})
    if surplus:
        raise TableDiffers(
            f"{contract.address} has columns in the warehouse that its contract does not have",
            expected=", ".join(column.name for column in contract.columns),
            found=", ".join(surplus),
            next_command=f"migrate the table by hand, or drop {contract.address} and materialise it again",
        )
