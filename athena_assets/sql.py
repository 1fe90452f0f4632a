"""What every text of SQL needs: the parameters and words that it uses, and which tables and columns are there."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeVar
from weakref import WeakKeyDictionary

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


def ascending(keys: Sequence[str], rows: str) -> str:
    """SQL that is true only where every row but the first has a greater key than the one before; a null is neither.

    keys: names of columns. rows: what follows FROM, a table and perhaps a condition, taken in the order in which it has
    its rows.
    """
    names = [f"key_{number}" for number in range(len(keys))]
    greater = ""
    for name in reversed(names):
        greater = f"before_{name} < {name}" + (f" OR (before_{name} = {name} AND ({greater}))" if greater else "")
    columns = ", ".join(
        f'"{key}" AS {name}, lag("{key}") OVER () AS before_{name}' for key, name in zip(keys, names, strict=True)
    )
    return f"(SELECT count(*) FILTER (WHERE {greater}) >= count(*) - 1 FROM (SELECT {columns} FROM {rows}))"


_seen: "WeakKeyDictionary[duckdb.DuckDBPyConnection, set[str]]" = WeakKeyDictionary()


_OF_THE_FILE = "WHERE database_name = current_database()"
_TABLES = f"SELECT schema_name || '.' || table_name FROM duckdb_tables() {_OF_THE_FILE}"
_VIEWS = f"SELECT schema_name || '.' || view_name FROM duckdb_views() {_OF_THE_FILE}"


def remember(connection: "duckdb.DuckDBPyConnection") -> None:
    """Remember from now on what has been `seen` through a connection; nothing is remembered of any other.

    Only for one whose file nobody else can change, and through which no table is dropped, until it is closed.
    """
    _seen[connection] = set()


def forget(connection: "duckdb.DuckDBPyConnection") -> None:
    """Forget what has been seen: what was made since may have been rolled back."""
    seen(connection).clear()


def seen(connection: "duckdb.DuckDBPyConnection") -> set[str]:
    """What is known to be there, to be added to: addresses of tables and views, and what a part keeps by its own name.

    Of a connection that is not remembered it is empty, and what is added is lost.
    """
    return _seen.get(connection, set())


def has_table(connection: "duckdb.DuckDBPyConnection", address: str) -> bool:
    """Whether a table or view, `schema.table`, is there: to read one that is not would end a transaction."""
    known = seen(connection)
    # Each goes through all there is, 0.9 and 0.4 ms; information_schema goes through every column first.
    for listed in (_TABLES, _VIEWS):
        if address not in known:
            known.update(name for (name,) in connection.execute(listed).fetchall())
    return address in known


def columns_of(connection: "duckdb.DuckDBPyConnection", address: str) -> dict[str, str]:
    """The columns of a table or view and their types, in its order; none where it is not there."""
    if not has_table(connection, address):
        return {}
    # duckdb_columns() binds every view there is, the system's too, and costs a new connection three times as much.
    rows = connection.execute("SELECT name, type FROM pragma_table_info($table) ORDER BY cid", {"table": address})
    return {str(name): str(kind) for name, kind in rows.fetchall()}
