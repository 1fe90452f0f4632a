"""A table's contract as Dagster asset checks: one step per table, one result per group of rules, all blocking."""

from collections.abc import Iterator

import dagster as dg

from checks.blocking import blocking_check
from checks.compiler import RuleResult, check_table, compile_rules, groups_of
from checks.contract import Contract
from resources.steps import step
from resources.warehouse import Warehouse

MOST_FAULTS_SHOWN = 20
MOST_RULES_LISTED = 40
FIGURES = dg.TableSchema([dg.TableColumn(name) for name in ("rule", "found", "limit")])


def build_table_checks(
    contract: Contract,
    *,
    partitions_def: dg.PartitionsDefinition | None = None,
    minimum_rows: int = 0,
) -> dg.AssetChecksDefinition:
    """Blocking checks of one table.

    Parameters
    ----------
    contract: the table's contract; the asset key is its address.
    partitions_def: the asset's partitions; a check of a partitioned asset is itself partitioned, so that a bad
        partition neither blocks nor excuses another.
    minimum_rows: below this number of rows a partition is refused.
    """
    key = dg.AssetKey([contract.schema, contract.table])
    groups = groups_of(contract, minimum_rows=minimum_rows)
    specs = [blocking_check(group, key, _describe(contract, group, minimum_rows), partitions_def) for group in groups]

    @dg.multi_asset_check(
        name=f"check_{contract.schema}_{contract.table}",
        specs=specs,
        op_tags={"athena/kind": "check"},
        pool="warehouse",
    )
    @step
    def check(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
        where = "true" if contract.partitioned_by is None else f"{contract.partitioned_by} = CAST($partition AS DATE)"
        parameters = {"partition": context.partition_key} if contract.partitioned_by else {}
        with warehouse.read() as connection:
            result = check_table(connection, contract, where=where, parameters=parameters, minimum_rows=minimum_rows)
        for group in groups:
            found = _as_check_result(key, group, result.group(group), result.rows)
            if not found.passed:
                context.log.error("%s of %s: %s", group, contract.address, found.description)
            yield found

    return check


def _describe(contract: Contract, group: str, minimum_rows: int) -> str:
    """What the UI says about a check: every rule behind it, up to `MOST_RULES_LISTED`."""
    origin = f"of {contract.address}, by its contract {contract.version}"
    if group == "schema":
        return f"Columns and types {origin}."
    rules = [rule for rule in compile_rules(contract, minimum_rows=minimum_rows) if rule.group == group]
    lines = [
        f"- {rule.description}{f' in more than {rule.limit:.2%} of rows' if rule.relative else ''}" for rule in rules
    ]
    if len(lines) > MOST_RULES_LISTED:
        lines[MOST_RULES_LISTED:] = [f"- and {len(lines) - MOST_RULES_LISTED} more"]
    return "\n".join([f"{group.capitalize()} {origin}. Faults that stop the run:", "", *lines])


def _as_check_result(key: dg.AssetKey, group: str, results: tuple[RuleResult, ...], rows: int) -> dg.AssetCheckResult:
    faults = [result for result in results if not result.passed]
    # A group without results was not reached, because the table's columns are not those of its contract.
    reached = bool(results)
    sentences = [result.sentence() for result in faults[:MOST_FAULTS_SHOWN]]
    if not reached:
        sentences = ["not evaluated: the table's columns are not those of its contract"]
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=group,
        passed=reached and not faults,
        severity=dg.AssetCheckSeverity.ERROR,
        description="; ".join(sentences) or f"{len(results)} rules hold",
        metadata={
            "rules": len(results),
            "rules_failed": len(faults),
            "rows": rows,
            "figures": dg.MetadataValue.table(
                [
                    dg.TableRecord({"rule": result.rule.id, "found": result.found, "limit": result.allowed})
                    for result in sorted(results, key=lambda result: (result.passed, -result.figure))
                ],
                FIGURES,
            ),
        },
    )
