"""Whether the clean rows of earlier nights still stand as the account counted them when they were written."""

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.nights import Night

MOST_SHOWN = 5


class NightsDamaged(AthenaError):
    """Clean rows of earlier nights are gone, or there are more than were kept."""


def refuse_damaged(connection: duckdb.DuckDBPyConnection, *, before: Night) -> None:
    """Refuse to go on over a night whose clean tables are no longer whole; raises `NightsDamaged`.

    A transaction writes a night whole, so this is what somebody else's hand, or a restored half of a file, leaves.
    """
    tables = [
        str(table)
        for (table,) in connection.execute(
            "SELECT DISTINCT table_name FROM orders.accounting JOIN duckdb_tables() USING (table_name)"
            " WHERE schema_name = 'orders' ORDER BY table_name"
        ).fetchall()
    ]
    counts = " UNION ALL ".join([*map(_of_table, tables), *([] if "orders" in tables else [_OF_DERIVED_ORDERS])])
    damaged = connection.execute(
        f"SELECT CAST(night AS VARCHAR), name, counted, standing FROM ({counts})"
        " WHERE counted <> standing AND night < CAST($before AS DATE) ORDER BY night, name",
        {"before": before.day},
    ).fetchall()
    if not damaged:
        return
    nights = list(dict.fromkeys(night for night, *_ in damaged))
    shown = "; ".join(f"{name} of {night}: {standing:,}" for night, name, _, standing in damaged[:MOST_SHOWN])
    raise NightsDamaged(
        f"clean rows of nights before {before.key} are not those that were written",
        expected="; ".join(f"{name} of {night}: {counted:,}" for night, name, counted, _ in damaged[:MOST_SHOWN]),
        found=shown,
        next_command=" && ".join(f"athena night {night}" for night in nights[:MOST_SHOWN]),
    )


def _of_table(table: str) -> str:
    """Rows of a delivered table by night: kept by the account, and standing in the table."""
    return f"""
        SELECT night, 'orders.{table}' AS name, coalesce(kept, 0) AS counted, coalesce(there, 0) AS standing
        FROM (SELECT night, sum(rows_kept) AS kept FROM orders.accounting WHERE table_name = '{table}' GROUP BY night)
        FULL JOIN (SELECT night, count(*) AS there FROM orders.{table} GROUP BY night) USING (night)"""


_OF_DERIVED_ORDERS = """
        SELECT night, 'lines of orders.orders' AS name, coalesce(lines, 0) AS counted, coalesce(there, 0) AS standing
        FROM (SELECT night, count(*) AS lines FROM orders.order_lines GROUP BY night)
        FULL JOIN (SELECT night, sum(line_count) AS there FROM orders.orders GROUP BY night) USING (night)"""
"""Every kept line is in exactly one order, where orders are derived from the lines."""
