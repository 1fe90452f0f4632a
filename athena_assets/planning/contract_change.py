"""A contract change ahead: which stored partitions would break it, and which verdicts would have to be renewed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from athena_assets.contracts import completed
from athena_assets.errors import AthenaError
from athena_assets.planning.minutes import Minutes, minutes_of_checks
from checks.compiler import CheckName, checks_of, compile_rules
from checks.contract import Contract
from checks.contract_diff import ContractDiff, compare
from checks.contract_files import SUFFIX, InvalidContract, load_contract, parse_contract
from checks.evaluation import check_table
from checks.rules import Rule
from checks.verdicts import has_gate
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from athena_assets.definitions import Athena

RENEW = "athena check --outdated"


class NotAContractFile(AthenaError):
    """What was given is not the contract file of a table."""


@dataclass(frozen=True)
class Failure:
    """One rule that is new or changed, and a stored partition that would fail it."""

    table: str
    partition: str
    rule: str
    severity: str
    sentence: str


@dataclass(frozen=True)
class TableAhead:
    """What the change means for one table of this home.

    looked_at: partitions evaluated, of `stored` ones; not evaluated: rules that would need a history they do not have.
    outdated: partitions whose verdict on one of `checks` would no longer be about the rules.
    """

    table: str
    stored: int
    looked_at: int
    failures: tuple[Failure, ...]
    not_evaluated: tuple[str, ...]
    checks: tuple[str, ...]
    outdated: int
    minutes: Minutes


@dataclass(frozen=True)
class ContractPlan:
    """What putting a contract file in the place of the one in force would do."""

    contract: str
    diff: ContractDiff
    tables: tuple[TableAhead, ...]

    @property
    def unannounced(self) -> str | None:
        """What is missing for a breaking change to have been announced, as `athena contracts diff` says it."""
        return self.diff.unannounced()

    @property
    def goes_through(self) -> bool:
        """Whether the change is announced, and every stored partition that was looked at keeps its blocking rules."""
        refused = any(failure.severity == "ERROR" for table in self.tables for failure in table.failures)
        return self.unannounced is None and not refused

    @property
    def renew(self) -> str | None:
        """The command that renews the verdicts; None where all stay valid."""
        return RENEW if any(table.outdated for table in self.tables) else None


def plan_contract(athena: "Athena", file: Path, *, most: int) -> ContractPlan:
    """Plan the change; reads the warehouse and writes nothing.

    most: how many of the latest partitions of each table are evaluated, one scan each.
    Raises `NotAContractFile`, `UnknownContract`, `InvalidContract`.
    """
    if not file.is_file() or not file.name.endswith(SUFFIX):
        raise NotAContractFile(
            f"{file} is not a contract file",
            expected=f"a file SCHEMA.TABLE{SUFFIX} of an existing table",
            found="another kind of file" if file.is_file() else "no such file",
            next_command="copy the table's file from checks/contracts and change the copy",
        )
    old, new = load_contract(file.name.removesuffix(SUFFIX)), parse_contract(file)
    diff = ContractDiff(new.address, old, new, tuple(compare(old, new)))
    before, after = (completed(each, athena.feature_set, athena.models) for each in (old, new))
    warehouse = Warehouse.of(athena.settings)
    tables: list[TableAhead] = []
    if diff.changes and athena.settings.warehouse_path.exists():
        with warehouse.read() as connection:
            for address, contract in after.items():
                tables.append(_table(athena, connection, before[address], contract, most))
                if before[address].history and contract.history:
                    tables.append(_table(athena, connection, before[address].twin(), contract.twin(), most))
    return ContractPlan(new.address, diff, tuple(tables))


def _table(
    athena: "Athena", connection: duckdb.DuckDBPyConnection, old: Contract, new: Contract, most: int
) -> TableAhead:
    stored = _stored(connection, new.address)
    changed = changed_rules(old, new)
    checks = tuple(each.name for each in _changed_checks(old, new))
    looked_at = stored[:most] if changed else []
    failures: list[Failure] = []
    silent: set[str] = set()
    for partition in looked_at:
        for rule, status, sentence in _evaluate(athena, connection, new, partition, changed):
            if status == "failed":
                failures.append(Failure(new.address, partition, rule.id, rule.severity, sentence))
            elif status == "not evaluated":
                silent.add(rule.id)
    outdated = len(stored) if checks else 0
    return TableAhead(
        table=new.address,
        stored=len(stored),
        looked_at=len(looked_at),
        failures=tuple(failures),
        not_evaluated=tuple(sorted(silent)),
        checks=checks,
        outdated=outdated,
        minutes=minutes_of_checks(athena.settings.usage_path, new.address, outdated),
    )


def changed_rules(old: Contract, new: Contract) -> frozenset[str]:
    """Ids of the rules of the new contract that the old one does not have, or has otherwise."""
    before = {rule.id: _decides_by(rule) for rule in compile_rules(old)}
    changed = {rule.id for rule in compile_rules(new) if before.get(rule.id) != _decides_by(rule)}
    columns = [[(column.name, column.type) for column in each.columns] for each in (old, new)]
    return frozenset(changed | ({"schema.columns"} if columns[0] != columns[1] else set()))


def _decides_by(rule: Rule) -> tuple[object, ...]:
    return (rule.expression, rule.limit, rule.relative, rule.band, rule.severity, rule.group)


def _changed_checks(old: Contract, new: Contract) -> list[CheckName]:
    before = {each.name: each.rules_hash for each in checks_of(old)}
    return [each for each in checks_of(new) if each.severity == "ERROR" and before.get(each.name) != each.rules_hash]


def _stored(connection: duckdb.DuckDBPyConnection, address: str) -> list[str]:
    """Partitions that are written, the latest first; '' stands for a table without partitions."""
    if not has_gate(connection):
        return []
    rows = connection.execute(
        "SELECT partition FROM gate.materialisation WHERE asset = $asset ORDER BY partition DESC", {"asset": address}
    ).fetchall()
    return [str(row[0]) for row in rows]


def _evaluate(
    athena: "Athena", connection: duckdb.DuckDBPyConnection, contract: Contract, partition: str, changed: frozenset[str]
) -> Sequence[tuple[Rule, str, str]]:
    """`(rule, status, sentence)` of the changed rules on one partition, in one scan."""
    is_open = not _is_day(partition) or athena.retailer.is_open(date.fromisoformat(partition))
    try:
        result = check_table(connection, contract, partition=partition or None, is_open=is_open)
    except (duckdb.ProgrammingError, duckdb.DataError) as error:
        raise InvalidContract(
            f"the rules of {contract.address} {contract.version} cannot be evaluated",
            expected="SQL over the columns of its table, and tables that there are",
            found=str(error).splitlines()[0],
            next_command="mend the rule's query, then athena plan contract FILE",
        ) from error
    return [(each.rule, each.status, each.sentence()) for each in result.results if each.rule.id in changed]


def _is_day(partition: str) -> bool:
    return len(partition) == len("2011-10-28")
