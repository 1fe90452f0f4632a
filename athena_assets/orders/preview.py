"""What loading a delivery would do, found out without writing anything (`athena load --check`)."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb

from athena_assets.nights import Night
from athena_assets.orders.cleaning import clean_statements, reason_statements
from athena_assets.orders.rules import rules_for
from athena_assets.orders.statements import Scope, make_facts
from athena_assets.sources.deliveries import delivery_id_of, unread_columns
from athena_assets.sources.files import sha256_of
from athena_assets.sources.inspection import InspectedFile, inspect_file, reading, tables_of
from athena_assets.sources.landing import Landing, nights_of
from athena_assets.sources.last_good import last_good
from athena_assets.sources.rename import FindLastGood
from athena_assets.sources.source import DeliveredAs, DeliveryKind, Source
from athena_assets.sources.tables import RAW_TABLES


@dataclass(frozen=True)
class ReasonCount:
    """Rows and money that one rule decides about."""

    table: str
    code: str
    kept: bool
    rows: int
    amount: Decimal
    reason: str


@dataclass(frozen=True)
class Preview:
    """What would happen to a delivery; money is exact, in `currency`."""

    source: str
    currency: str
    kind: DeliveryKind
    first_night: date
    last_night: date
    files: tuple[str, ...]
    rows_in: int
    rows_kept: int
    rows_quarantined: int
    amount_in: Decimal
    amount_kept: Decimal
    amount_quarantined: Decimal
    reasons: tuple[ReasonCount, ...]
    unread_columns: tuple[str, ...]
    """A line for every delivered column that is in no contract."""

    def as_json(self) -> dict[str, Any]:
        """The preview as JSON-ready values; money and dates as text, so that nothing is rounded."""

        def plain(value: Any) -> Any:
            if isinstance(value, Decimal | date):
                return str(value)
            if isinstance(value, dict):
                return {key: plain(item) for key, item in value.items()}
            return [plain(item) for item in value] if isinstance(value, list | tuple) else value

        return {key: plain(value) for key, value in asdict(self).items()}


def preview(
    source: Source,
    paths: Sequence[Path],
    *,
    kind: DeliveryKind,
    registered_at: datetime,
    landing: Landing | None = None,
    last_night: Night | None = None,
    replaces: str | None = None,
) -> Preview:
    """Judge a delivery as loading it would, in memory.

    The totals are those of the order lines, where every retailer's money is. A delivery that would be refused
    raises the error of its refusal (see `Landing.register`), with `landing` also for files delivered before and for
    the delivery that it should replace.
    Lines that earlier nights have brought are told apart only when the night runs, against the warehouse.
    """
    night = last_night.day if kind == "nightly" and last_night is not None else None
    until = last_night.day if last_night is not None else registered_at.date()
    pairs = [(table, path.resolve(), sha256_of(path)) for table, path in tables_of(source, paths)]
    if landing is not None:
        identity = delivery_id_of(source.name, kind, night, ((table, sha) for table, _, sha in pairs))
        landing.refuse_unregistrable(source, identity, pairs, kind, night, replaces=replaces)
    with TemporaryDirectory() as folder, duckdb.connect(config={"threads": 2}) as connection:
        files = [
            inspect_file(
                connection,
                source,
                table,
                path,
                staging=Path(folder),
                kind=kind,
                until=until,
                sha256=sha,
                find_last_good=_last_good_in(landing, connection, source, night),
            )
            for table, path, sha in pairs
        ]
        first, last = nights_of(source, files, night, None, last_night)
        _read(connection, source, files, DeliveredAs("preview", kind, first, last))
        reasons = _judge(connection, source)
    lines = [reason for reason in reasons if reason.table == "order_lines"]
    kept = [reason for reason in lines if reason.kept]
    refused = [reason for reason in lines if not reason.kept]
    return Preview(
        source=source.name,
        currency=source.currency,
        kind=kind,
        first_night=first,
        last_night=last,
        files=tuple(file.path.name for file in files),
        rows_in=sum(file.rows_to_land for file in files if file.table == "order_lines"),
        rows_kept=sum(reason.rows for reason in kept),
        rows_quarantined=sum(reason.rows for reason in refused),
        amount_in=sum((file.amount_to_land for file in files if file.table == "order_lines"), Decimal(0)),
        amount_kept=sum((reason.amount for reason in kept), Decimal(0)),
        amount_quarantined=sum((reason.amount for reason in refused), Decimal(0)),
        reasons=reasons,
        unread_columns=tuple(unread_columns((file.table, file.undeclared_columns) for file in files)),
    )


def _last_good_in(
    landing: Landing | None, connection: duckdb.DuckDBPyConnection, source: Source, night: date | None
) -> FindLastGood | None:
    if landing is None:
        return None
    return lambda table: last_good(landing, connection, source, table, before=night)


def _read(
    connection: duckdb.DuckDBPyConnection,
    source: Source,
    files: Sequence[InspectedFile],
    delivered: DeliveredAs,
) -> None:
    """Raw history tables in memory, as the raw assets would fill them."""
    connection.execute("CREATE SCHEMA raw")
    rows_before: dict[str, int] = {}
    for file in files:
        before = rows_before.get(file.table, 0)
        select = source.raw_select(
            file.table, file.readable, file.shape, delivered, file_name=file.path.name, rows_before=before
        )
        into = f"INSERT INTO raw.{file.table}_history BY NAME" if file.table in rows_before else None
        # Of a full extract the night lands its own rows; the others are there since the nights that they belong to.
        rows = f"SELECT * FROM ({select.sql})"
        if source.repeats_earlier_nights(file.table, delivered.kind):
            rows += f" WHERE night = DATE '{delivered.last_night}'"
        with reading(file.path.name, file.readable.path):
            connection.execute(f"{into or f'CREATE TABLE raw.{file.table}_history AS'} {rows}", select.parameters)
        rows_before[file.table] = before + file.rows


def _judge(connection: duckdb.DuckDBPyConnection, source: Source) -> tuple[ReasonCount, ...]:
    connection.execute("CREATE SCHEMA orders")
    made: set[str] = set()
    if source.delivers("orders"):
        lines = clean_statements(source, Scope.history())[0]
        make_facts(connection, lines, made)
        connection.execute(f"CREATE TABLE {lines.target} AS {lines.select}", lines.parameters)
    rules = rules_for(source.name, corrects_orders=source.corrects_orders)
    words = {(table, rule.code): rule.reason for table in RAW_TABLES for rule in rules.of(table)}
    counts = []
    for statement in reason_statements(source, Scope.history()):
        make_facts(connection, statement, made)
        for table, code, kept, rows, amount in connection.execute(statement.select, statement.parameters).fetchall():
            counts.append(ReasonCount(table, code, kept, rows, amount, words[table, code]))
    return tuple(counts)
