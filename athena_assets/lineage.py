"""Column lineage read from the SQL that computes a table, so that it cannot disagree with it."""

from collections.abc import Mapping
from functools import lru_cache

ColumnLineage = Mapping[str, tuple[tuple[str, str], ...]]
"""Output column -> the (`schema.table`, column) pairs it is computed from."""

VIEWS = {"orders.all_": "orders."}


@lru_cache(maxsize=512)
def column_lineage(select: str, columns: tuple[tuple[str, tuple[str, ...]], ...]) -> ColumnLineage:
    """Trace each output column of a DuckDB SELECT to the tables' columns.

    Parameters
    ----------
    select: the text; its `$parameters` are fine.
    columns: `(schema.table, column names)` of every table it may read, so that unqualified names resolve.
    """
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


def through_views(lineage: ColumnLineage) -> ColumnLineage:
    """Replace each `orders.all_<table>` view by the two tables it unites, the history and the nights."""
    return {
        column: tuple(sorted({(address, name) for view, name in sources for address in _tables_of(view)}))
        for column, sources in lineage.items()
    }


def _tables_of(address: str) -> tuple[str, ...]:
    for prefix, replacement in VIEWS.items():
        if address.startswith(prefix):
            table = replacement + address.removeprefix(prefix)
            return (f"{table}_history", table)
    return (address,)
