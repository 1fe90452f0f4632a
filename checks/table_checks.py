"""A table's contract as Dagster asset checks: one step and one scan per table, one result per group of rules."""

from collections.abc import Callable, Iterator
from datetime import date

import dagster as dg
import duckdb

from checks.blocking import check_spec, partitions_of
from checks.compiler import CheckName, checks_of
from checks.contract import Contract
from checks.evaluation import TableResult, check_table
from checks.reporting import MOST_FAULTS_SHOWN, Outcome, report
from checks.rules import RuleResult
from checks.verdicts import Evaluation
from resources.steps import step
from resources.warehouse import Warehouse

MOST_RULES_LISTED = 40
FIGURES = dg.TableSchema([dg.TableColumn(name) for name in ("rule", "found", "limit", "status")])


def every_day(_day: date) -> bool:
    """The calendar of a retailer that never closes."""
    return True


def build_table_checks(
    contract: Contract,
    *,
    partitions_def: dg.PartitionsDefinition | None = None,
    minimum_rows: int = 0,
    is_open: Callable[[date], bool] = every_day,
) -> dg.AssetChecksDefinition:
    """The checks of one table: rules of severity ERROR block, those of severity WARN inform.

    Parameters
    ----------
    contract: the table's contract; the asset key is its address.
    partitions_def: the asset's partitions; a check of a partitioned asset is itself partitioned, so that a bad
        partition neither blocks nor excuses another.
    minimum_rows: below this number of rows a partition is refused.
    is_open: whether the retailer trades on a day, for tables that have rows on every such day.
    """
    key = dg.AssetKey([contract.schema, contract.table])
    checks = checks_of(contract, minimum_rows=minimum_rows)
    specs = [
        check_spec(
            each.name,
            key,
            _describe(contract, each),
            partitions_def,
            rules_hash=each.rules_hash,
            severity=each.severity,
        )
        for each in checks
    ]

    @dg.multi_asset_check(
        name=f"check_{contract.schema}_{contract.table}",
        specs=specs,
        op_tags={"athena/kind": "check"},
        pool="warehouse",
    )
    @step
    def check(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
        def found_in(partition: str | None, connection: duckdb.DuckDBPyConnection) -> list[Outcome]:
            result = check_table(
                connection,
                contract,
                partition=partition,
                is_open=partition is None or is_open(date.fromisoformat(partition)),
                minimum_rows=minimum_rows,
            )
            return outcomes_of(result, checks)

        with warehouse.write(settled=False) as connection:
            partitions = partitions_of(context, partitions_def)
            results = report(context, connection, contract, ((each, found_in(each, connection)) for each in partitions))
        yield from results

    return check


def outcomes_of(result: TableResult, checks: tuple[CheckName, ...]) -> list[Outcome]:
    """What each check of a table found in one partition."""
    return [outcome_of(each, result.check(each.name), result.rows) for each in checks]


def outcome_of(check: CheckName, results: tuple[RuleResult, ...], rows: int) -> Outcome:
    """What one check found, from the results of its rules; one without results was not reached."""
    faults = [result for result in results if not result.passed]
    # Not reached, because the table's columns are not those of its contract: it has neither passed nor failed.
    reached = bool(results)
    sentences = [result.sentence() for result in faults[:MOST_FAULTS_SHOWN]]
    if not reached:
        sentences = ["not evaluated: the table's columns are not those of its contract"]
    return Outcome(
        check=check.name,
        severity=check.severity,
        rules_hash=check.rules_hash,
        passed=reached and not faults,
        reached=reached,
        evaluations=tuple(Evaluation.of(result) for result in results),
        said="; ".join(sentences) or f"{len(results)} rules hold",
        metadata={
            "rules": len(results),
            "rules_failed": len(faults),
            "rows": rows,
            "figures": dg.MetadataValue.table(
                [
                    dg.TableRecord(
                        {
                            "rule": result.rule.id,
                            "found": result.found,
                            "limit": result.allowed,
                            "status": result.status,
                        }
                    )
                    for result in sorted(results, key=lambda result: (result.passed, result.rule.id))
                ],
                FIGURES,
            ),
        },
    )


def _describe(contract: Contract, check: CheckName) -> str:
    """What the UI says about a check: every rule behind it, up to `MOST_RULES_LISTED`."""
    origin = f"of {contract.address}, by its contract {contract.version}"
    if check.group == "schema":
        return f"Columns and types {origin}."
    lines = []
    for rule in check.rules:
        limit = f" in more than {rule.limit:.2%} of rows" if rule.relative else ""
        against = ", against its own earlier nights" if rule.band is not None else ""
        lines.append(f"- {rule.description.rstrip('.')}{limit}{against}")
    if len(lines) > MOST_RULES_LISTED:
        lines[MOST_RULES_LISTED:] = [f"- and {len(lines) - MOST_RULES_LISTED} more"]
    does = "Faults that stop the run" if check.severity == "ERROR" else "Faults that somebody is told of"
    return "\n".join([f"{check.group.capitalize()} {origin}. {does}:", "", *lines])
