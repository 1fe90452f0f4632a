"""Column lineage read from the SQL that computes a table, so that it cannot disagree with it."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from athena_assets.sql import without_comments

ColumnLineage = Mapping[str, tuple[tuple[str, str], ...]]
"""Output column -> the (`schema.table`, column) pairs it is computed from."""

VIEWS = {"orders.all_": "orders."}


KnownColumns = tuple[tuple[str, tuple[str, ...]], ...]
"""`(schema.table, column names)` of every table that a text may read, so that unqualified names resolve."""


def column_lineage(select: str, columns: KnownColumns, cache: Path | None = None) -> ColumnLineage:
    """Trace each output column of a DuckDB SELECT to the tables' columns.

    Tracing a long text takes a second and the same text gives the same answer, so the answer is kept in `cache`
    under the text's hash; a file there that cannot be read is computed again.
    """
    return kept_lineage(repr((select, columns)), cache, lambda: trace(select, columns))


def kept_lineage(text: str, cache: Path | None, work_out: Callable[[], ColumnLineage]) -> ColumnLineage:
    """The lineage of a text, from `cache` or worked out and kept there; without a cache always worked out."""
    if cache is None:
        return work_out()
    name = hashlib.sha256(text.encode()).hexdigest()[:32]
    path = cache / "lineage" / f"{name}.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {column: tuple((address, source) for address, source in pairs) for column, pairs in stored.items()}
    except (OSError, ValueError):
        traced = work_out()
    # Whoever asks on a full or read-only disk is told what is wrong there: the answer is only not kept.
    with suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{path.name}.{os.getpid()}")
        temporary.write_text(json.dumps(traced), encoding="utf-8")
        os.replace(temporary, path)
    return traced


def trace(select: str, columns: KnownColumns) -> ColumnLineage:
    """Column lineage, computed."""
    import sqlglot
    from sqlglot import exp
    from sqlglot.lineage import lineage

    schema: dict[str, dict[str, dict[str, str]]] = {}
    for address, names in columns:
        database, _, table = address.partition(".")
        schema.setdefault(database, {})[table] = dict.fromkeys(names, "VARCHAR")
    expression = sqlglot.parse_one(select, dialect="duckdb")
    traced: dict[str, tuple[tuple[str, str], ...]] = {}
    roots = lineage(None, expression, schema=schema, dialect="duckdb")
    for name, root in roots.items():
        found = set()
        for node in root.walk():
            source = node.source
            if node.downstream or not isinstance(source, exp.Table) or not source.db:
                continue
            found.add((f"{source.db}.{source.name}", node.name.rpartition(".")[2].strip('"')))
        traced[name] = tuple(sorted(found))
    return traced


def tables_read(select: str, tables: Sequence[str]) -> list[str]:
    """Those of the tables (`schema.table`) that a text reads; its comments may speak of others."""
    text = without_comments(select)
    # To look for a text is a hundred times as fast as to look for a pattern.
    return [each for each in tables if each in text and re.search(rf"\b{re.escape(each)}\b", text)]


def through_views(lineage: ColumnLineage) -> ColumnLineage:
    """Replace each `orders.all_<table>` view by the two tables it unites, the history and the nights."""
    return {
        column: tuple(sorted({(address, name) for view, name in sources for address in tables_of(view)}))
        for column, sources in lineage.items()
    }


def tables_of(address: str) -> tuple[str, ...]:
    """The two tables that a view `orders.all_<table>` unites, the history and the nights; a table is itself."""
    for prefix, replacement in VIEWS.items():
        if address.startswith(prefix):
            table = replacement + address.removeprefix(prefix)
            return (f"{table}_history", table)
    return (address,)
