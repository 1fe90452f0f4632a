"""What every text of SQL needs: the parameters and words that it uses, and which tables and columns are there."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import duckdb

Value = TypeVar("Value")


def parameters_used(sql: str, values: Mapping[str, Value]) -> dict[str, Value]:
    """The parameters, `$name`, that occur in the text: DuckDB refuses one that does not."""
    return {name: value for name, value in values.items() if re.search(rf"\${name}\b", sql)}


def without_comments(sql: str) -> str:
    """The text without its comments, which may speak of what it does not read."""
    return re.sub(r"/\*.*?\*/|--[^\n]*", "", sql, flags=re.DOTALL)


def words(*texts: str) -> set[str]:
    """Every word of the texts in lower case: all names in them, and harmlessly keywords and words in quotes."""
    return {word.lower() for text in texts for word in re.findall(r"\w+", without_comments(text))}


def has_table(connection: "duckdb.DuckDBPyConnection", address: str) -> bool:
    """Whether a table or view, `schema.table`, is there; asking for one that is not ends a transaction."""
    schema, _, table = address.partition(".")
    of = "database_name = current_database() AND schema_name = $schema"
    # information_schema goes through the columns of every table first.
    return bool(
        connection.execute(
            f"SELECT 1 FROM duckdb_tables() WHERE {of} AND table_name = $table"
            f" UNION ALL SELECT 1 FROM duckdb_views() WHERE {of} AND view_name = $table",
            {"schema": schema, "table": table},
        ).fetchall()
    )


def columns_of(connection: "duckdb.DuckDBPyConnection", address: str) -> dict[str, str]:
    """The columns of a table or view and their types, in its order; none where it is not there."""
    if not has_table(connection, address):
        return {}
    # duckdb_columns() binds every view there is, the system's too, and costs a new connection three times as much.
    rows = connection.execute("SELECT name, type FROM pragma_table_info($table) ORDER BY cid", {"table": address})
    return {str(name): str(kind) for name, kind in rows.fetchall()}
