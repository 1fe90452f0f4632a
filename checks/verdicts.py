"""What the gate knows: which write of a partition stands, and what every blocking check said about that very write.

All of it lives in the warehouse beside the data, and a partition is stamped in the transaction that writes it: stamping
removes the verdicts of what stood there before, so a verdict can never be about other rows than those that a reader
gets, whenever a process dies. Dagster's own check results are a projection of this for the UI.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.sql import columns_of, has_table, seen
from checks.contract import Contract, Severity
from checks.rules import RuleResult, Status

UNPARTITIONED = ""
"""Partition of an asset that has none."""

_GATE = "the gate's tables, of this version"
"""What is `seen` of a warehouse that has them."""


class NotStamped(AthenaError):
    """A check found rows that no asset says it has written."""


class UpstreamChanged(AthenaError):
    """What was read has been written again by another process since the gate let it through."""

    transient = True


@dataclass(frozen=True)
class Reading:
    """What the gate has let a step read: every write up to number `seen`, of stretches `(asset, first, last)`."""

    seen: int
    spans: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Writes:
    """The numbers of the writes that stand: of each asset its partitions, '' for one without."""

    last: int
    of: Mapping[str, Sequence[tuple[str, int]]]

    def since(self, number: int, assets: Iterable[str], until: str) -> bool:
        """Whether a partition of the assets up to `until` was written after that number."""
        return any(
            written > number and partition <= until for asset in assets for partition, written in self.of.get(asset, ())
        )


_reading: ContextVar[Reading | None] = ContextVar("athena_reading", default=None)


@contextmanager
def reading(read: Reading | None) -> Iterator[None]:
    """Within the block, a write is refused once something of what was let through has been written again."""
    token = _reading.set(read)
    try:
        yield
    finally:
        _reading.reset(token)


@dataclass(frozen=True)
class Verdict:
    """What one blocking check says about one partition as it stands."""

    check: str
    rules_hash: str
    passed: bool
    faults: str = ""
    """The rules that failed, one sentence each; empty when it passed."""


@dataclass(frozen=True)
class Evaluation:
    """One rule's evaluation, as the history keeps it."""

    check: str
    rule: str
    severity: Severity
    status: Status
    description: str
    figure: float | None
    low: float | None
    high: float | None
    found: str
    allowed: str
    rows: int
    figure_hash: str = ""
    """Of the rule, see there; '' for one whose figure nothing is held against."""

    @classmethod
    def of(cls, result: RuleResult) -> "Evaluation":
        """The evaluation of a contract's rule."""
        rule = result.rule
        return cls(
            check=rule.check,
            rule=rule.id,
            severity=rule.severity,
            status=result.status,
            description=rule.description,
            figure=result.figure,
            low=result.low,
            high=result.high,
            found=result.found,
            allowed=result.allowed,
            rows=result.rows,
            figure_hash=rule.figure_hash,
        )


_KEPT = ("check", "rule", "severity", "status", "figure", "low", "high", "found", "allowed", "figure_hash")
"""What the history keeps of an evaluation under its own name."""


@cache
def _ddl() -> str:
    return (Path(__file__).parent / "sql" / "gate.sql").read_text(encoding="utf-8")


def ensure_gate(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the gate's tables where there are none, and what this version has added to them."""
    known = seen(connection)
    if _GATE not in known:
        if not (has_figure_hashes(connection) and _says_sources(connection)):
            connection.execute(_ddl())
        known.add(_GATE)


def has_gate(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the warehouse has the gate's tables."""
    return has_table(connection, "monitoring.check_history")


def has_figure_hashes(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the history says by which SQL its figures were computed; one of an earlier version does not."""
    return "figure_hash" in columns_of(connection, "monitoring.check_history")


def _says_sources(connection: duckdb.DuckDBPyConnection) -> bool:
    return "sources" in columns_of(connection, "gate.materialisation")


def sources_of(connection: duckdb.DuckDBPyConnection, asset: str, partition: str) -> str | None:
    """The source snapshot that the write of a partition which stands has seen; None where its writer did not say."""
    if not _says_sources(connection):
        return None
    rows = connection.execute(
        "SELECT sources FROM gate.materialisation WHERE asset = $asset AND partition = $partition",
        {"asset": asset, "partition": partition},
    ).fetchall()
    return None if not rows else rows[0][0]


def stamp(
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    partition: str | None,
    run_id: str,
    *,
    sources: str | None = None,
) -> int:
    """Say in the transaction that writes a partition that it does; what was said about its former rows is void.

    sources: name of the source snapshot that it was computed from, for those that ask `sources_of` later.
    Returns the number of this materialisation. Raises `UpstreamChanged` where what the step was let through to read
    is no longer what was judged: the warehouse is free between the gate's look and this transaction.
    """
    (number,) = stamp_all(connection, [contract], partition, run_id, sources=sources)
    return number


def stamp_all(
    connection: duckdb.DuckDBPyConnection,
    contracts: Iterable[Contract],
    partition: str | None,
    run_id: str,
    *,
    sources: str | None = None,
) -> list[int]:
    """`stamp` for every table of a step that writes one partition of several in one transaction, in their order."""
    ensure_gate(connection)
    _refuse_changed(connection)
    assets = [contract.address for contract in contracts]
    last = last_write(connection)
    numbers = list(range(last + 1, last + 1 + len(assets)))
    of = {"assets": assets, "partition": partition or UNPARTITIONED}
    # INSERT OR REPLACE joins what is there with what is new, and takes three times as long as both statements.
    for table in ("gate.verdict", "gate.materialisation"):
        connection.execute(f"DELETE FROM {table} WHERE list_contains($assets, asset) AND partition = $partition", of)
    connection.execute(
        "INSERT INTO gate.materialisation SELECT unnest($assets), $partition, unnest($numbers), $run, $sources",
        {**of, "numbers": numbers, "run": run_id, "sources": sources},
    )
    return numbers


def last_write(connection: duckdb.DuckDBPyConnection, asset: str | None = None) -> int:
    """The number of the last write of any partition, of one asset or of all; 0 where there is none."""
    if not has_gate(connection):
        return 0
    ((number,),) = connection.execute(
        "SELECT coalesce(max(id), 0) FROM gate.materialisation WHERE $asset IS NULL OR asset = $asset", {"asset": asset}
    ).fetchall()
    return int(number)


def standing_writes(connection: duckdb.DuckDBPyConnection) -> Writes:
    """The write of every partition that stands, and the last of all."""
    rows = connection.execute("SELECT asset, partition, id FROM gate.materialisation").fetchall()
    of: dict[str, list[tuple[str, int]]] = {}
    for asset, partition, number in rows:
        of.setdefault(str(asset), []).append((str(partition), int(number)))
    return Writes(last_write(connection), of)


def _refuse_changed(connection: duckdb.DuckDBPyConnection) -> None:
    read = _reading.get()
    if read is None or not read.spans:
        return
    written = connection.execute(
        "SELECT asset, partition FROM gate.materialisation WHERE id > $seen ORDER BY id", {"seen": read.seen}
    ).fetchall()
    for asset, partition in written:
        if any(asset == read_asset and first <= partition <= last for read_asset, first, last in read.spans):
            raise UpstreamChanged(
                f"{asset} {partition}".strip() + " was written again while it was being read",
                expected="what the gate let through to stand until it has been used",
                found="another write of it",
                next_command="run the same command again",
            )


def standing(connection: duckdb.DuckDBPyConnection, asset: str, partition: str | None) -> int:
    """The number of the write that stands; raises `NotStamped` where none does."""
    rows = connection.execute(
        "SELECT id FROM gate.materialisation WHERE asset = $asset AND partition = $partition",
        {"asset": asset, "partition": partition or UNPARTITIONED},
    ).fetchall()
    if not rows:
        where = f"{asset} {partition}" if partition else asset
        raise NotStamped(
            f"nobody says that {where} has been written",
            expected="its line in gate.materialisation, made in the transaction that wrote it",
            found="none",
            next_command=f"materialise {asset} before its checks",
        )
    return int(rows[0][0])


def save(
    connection: duckdb.DuckDBPyConnection,
    *,
    asset: str,
    partition: str | None,
    contract_version: str,
    verdicts: Sequence[Verdict],
    evaluations: Sequence[Evaluation],
    run_id: str,
    at: datetime,
    unreached: Sequence[str] = (),
) -> None:
    """Write down what the checks of one partition said, in the caller's transaction.

    at: naive UTC. unreached: checks that could not be evaluated; what they said before is void.
    Raises `NotStamped` where nothing has been written that they could be about.
    """
    ensure_gate(connection)
    number = standing(connection, asset, partition)
    key = partition or UNPARTITIONED
    if unreached or verdicts:
        connection.execute(
            "DELETE FROM gate.verdict WHERE asset = $asset AND partition = $partition"
            " AND list_contains($checks, check_name)",
            {"asset": asset, "partition": key, "checks": [*unreached, *(each.check for each in verdicts)]},
        )
    if verdicts:
        connection.execute(
            "INSERT INTO gate.verdict SELECT $asset, $partition, unnest($checks), $number, unnest($hashes),"
            " $version, unnest($passed), unnest($faults), $run, $at",
            {
                "asset": asset,
                "partition": key,
                "checks": [each.check for each in verdicts],
                "number": number,
                "hashes": [each.rules_hash for each in verdicts],
                "version": contract_version,
                "passed": [each.passed for each in verdicts],
                "faults": [each.faults for each in verdicts],
                "run": run_id,
                "at": at,
            },
        )
    if evaluations:
        ((last,),) = connection.execute("SELECT coalesce(max(evaluation), 0) FROM monitoring.check_history").fetchall()
        columns = {name: [getattr(each, name) for each in evaluations] for name in _KEPT}
        connection.execute(
            "INSERT INTO monitoring.check_history SELECT unnest($numbers), $at, $run, $asset, $partition,"
            " unnest($check), unnest($rule), unnest($severity), unnest($status), unnest(CAST($figure AS DOUBLE[])),"
            " unnest(CAST($low AS DOUBLE[])), unnest(CAST($high AS DOUBLE[])), unnest($found), unnest($allowed),"
            " unnest($description), unnest($rows), $number, $version, unnest($figure_hash)",
            {
                **columns,
                "description": [each.description for each in evaluations],
                "rows": [each.rows for each in evaluations],
                "numbers": list(range(last + 1, last + 1 + len(evaluations))),
                "at": at,
                "run": run_id,
                "asset": asset,
                "partition": key,
                "number": number,
                "version": contract_version,
            },
        )
