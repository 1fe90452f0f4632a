"""The simulated retailer beside the real one: docs/images/simulator.svg and a table of the same curves in figures.

Both are seen through orders alone: customer, day and value of every purchase of a known customer. Of the real file
those are the lines with a customer, a positive quantity and price, and a stock code of goods, each once.
"""

import tempfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb

from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.retailer import simulate
from bench.svg import Axis, Panel, Series, picture
from bench.table import Table

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "simulator.svg"
DEFAULT = SimulatorParameters(customers=20_000, history_days=638, nights=0, first_night=date(2011, 8, 31))
"""The days of the real file."""
LIKE_REAL = replace(DEFAULT, purchases_per_year=4.5, purchase_shape=0.7, christmas_strength=0.6)
"""With three parameters brought to what the real shop sells: how often, how unequally, how seasonal."""
RETAILERS = ("real", "alike", "defaults")
LEGEND = ("Online Retail II", "simulated, three parameters brought to it", "simulated, defaults")
COHORTS_FROM = date(2010, 6, 1)
"""Who is first seen earlier may be an old customer of a shop whose file has just begun."""

_GAPS = (
    "SELECT day - lag(day) OVER (PARTITION BY customer ORDER BY day) AS x FROM (SELECT DISTINCT customer, day FROM {t})"
    " QUALIFY x IS NOT NULL"
)
_VALUES = "SELECT value / (SELECT median(value) FROM {t}) AS x FROM {t}"
_COUNTS = "SELECT count(*) AS x FROM {t} GROUP BY customer"
_MONTHS = (
    "SELECT month(day), n / avg(n) OVER () FROM (SELECT day, count(*) AS n FROM (SELECT date_trunc('month', day) AS day"
    " FROM {t} WHERE day >= DATE '2010-09-01') GROUP BY 1) ORDER BY 1"
)
_WEEKDAYS = "SELECT isodow(day), 100 * count(*) / sum(count(*)) OVER () FROM {t} GROUP BY 1 ORDER BY 1"
_RETENTION = f"""
    WITH firsts AS (SELECT customer, date_trunc('month', min(day)) AS first FROM {{t}} GROUP BY 1
        HAVING first >= DATE '{COHORTS_FROM}'),
    months AS (SELECT DISTINCT customer, date_trunc('month', day) AS month FROM {{t}})
    SELECT date_diff('month', first, month) AS age, 100 * count(*) / (SELECT count(*) FROM firsts
        WHERE date_diff('month', first, DATE '2011-08-01') >= age) FROM firsts JOIN months USING (customer)
    GROUP BY 1 ORDER BY 1"""


def measure(real: Path) -> Table:
    """Write the picture; returns the quantiles behind it."""
    with duckdb.connect() as connection, tempfile.TemporaryDirectory(prefix="athena-bench-") as folder:
        connection.execute(f"""
            CREATE TABLE real AS SELECT customer, day, sum(value) AS value FROM (
                SELECT DISTINCT "Customer ID" AS customer, CAST("InvoiceDate" AS DATE) AS day, "Invoice" AS invoice,
                    "StockCode", "Quantity", "Price", CAST("Quantity" * "Price" AS DOUBLE) AS value
                FROM read_parquet('{real}') WHERE "Customer ID" IS NOT NULL AND "Quantity" > 0 AND "Price" > 0
                    AND regexp_matches("StockCode", '^[0-9]{{5}}') AND NOT starts_with("Invoice", 'C'))
            GROUP BY customer, day, invoice""")
        for name, parameters in (("alike", LIKE_REAL), ("defaults", DEFAULT)):
            simulated = simulate(parameters, Path(folder) / name, Path(folder) / f"{name}-truth")
            paths = [str(path) for path in simulated.deliveries[0].tables["orders"].paths]
            connection.execute(f"""
                CREATE TABLE {name} AS SELECT customer_id AS customer, CAST(order_ts AS DATE) AS day,
                    CAST(total_order_amount AS DOUBLE) AS value FROM read_parquet({paths}) WHERE NOT is_return""")
        PICTURE.write_text(picture(_panels(connection), LEGEND), encoding="utf-8")
        return _figures(connection)


def _panels(connection: duckdb.DuckDBPyConnection) -> list[Panel]:
    percents = [(100.0, "100 %"), (10.0, "10 %"), (1.0, "1 %"), (0.1, "0.1 %")][::-1]
    powers = [(1.0, "1"), (10.0, "10"), (100.0, "100")]
    return [
        Panel(
            "Time between purchases",
            Axis(
                "days; purchases on one day count as one",
                [(each, str(each)) for each in (1, 3, 7, 14, 30, 90, 365)],
                True,
            ),
            Axis("gaps that are longer", [(each, f"{each} %") for each in (0, 25, 50, 75, 100)]),
            [_exceeding(connection, _GAPS, name) for name in RETAILERS],
        ),
        Panel(
            "Order value",
            Axis("times the median order", [(0.1, "0.1"), *powers], True),
            Axis("orders above", percents, True),
            [_exceeding(connection, _VALUES, name) for name in RETAILERS],
        ),
        Panel(
            "Purchases of a customer",
            Axis("orders in 21 months", powers, True),
            Axis("customers with more", percents, True),
            [_exceeding(connection, _COUNTS, name) for name in RETAILERS],
        ),
        Panel(
            "Season",
            Axis("month, September 2010 to August 2011", [(each, str(each)) for each in range(1, 13)]),
            Axis("orders, mean month = 1", [(each, str(each)) for each in range(4)]),
            [_curve(connection, _MONTHS, name) for name in RETAILERS],
        ),
        Panel(
            "Retention",
            Axis("months since the month of the first order", [(each, str(each)) for each in range(1, 15)]),
            Axis("customers with an order", [(each, f"{each} %") for each in (0, 10, 20, 30, 40)]),
            [_curve(connection, _RETENTION, name) for name in RETAILERS],
        ),
        Panel(
            "Week",
            Axis("", [(each, day) for each, day in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), 1)]),
            Axis("orders", [(each, f"{each} %") for each in (0, 10, 20, 30)]),
            [_curve(connection, _WEEKDAYS, name) for name in RETAILERS],
        ),
    ]


def _exceeding(connection: duckdb.DuckDBPyConnection, sql: str, name: str) -> Series:
    """Percent of the values above each quantile: 200 points, closer together where few are left."""
    left = [10 ** (-each / 50) for each in range(201)]
    ((values,),) = connection.execute(
        f"SELECT quantile_cont(x, {[1 - share for share in left]}) FROM ({sql.format(t=name)})"
    ).fetchall()
    return Series(values, [100 * share for share in left])


def _curve(connection: duckdb.DuckDBPyConnection, sql: str, name: str) -> Series:
    rows = connection.execute(sql.format(t=name)).fetchall()
    return Series([x for x, _ in rows], [y for _, y in rows])


def _figures(connection: duckdb.DuckDBPyConnection) -> Table:
    def quantiles(sql: str, name: str, shares: list[float], digits: int) -> str:
        ((values,),) = connection.execute(f"SELECT quantile_cont(x, {shares}) FROM ({sql.format(t=name)})").fetchall()
        return " · ".join(f"{value:.{digits}f}" for value in values)

    def retention(name: str) -> str:
        curve = _curve(connection, _RETENTION, name)
        percent = dict(zip(curve.x, curve.y, strict=True))
        return " · ".join(f"{percent[month]:.0f} %" for month in (1, 3, 6, 12))

    def once(name: str) -> str:
        ((share,),) = connection.execute(f"SELECT avg((x = 1)::INTEGER) FROM ({_COUNTS.format(t=name)})").fetchall()
        return f"{share:.0%}"

    rows = (
        (
            "days to the next purchase: 25, 50, 75, 95 %",
            *(quantiles(_GAPS, each, [0.25, 0.5, 0.75, 0.95], 0) for each in RETAILERS),
        ),
        (
            "order value by median: 10, 75, 95, 99, 99.9 %",
            *(quantiles(_VALUES, each, [0.1, 0.75, 0.95, 0.99, 0.999], 1) for each in RETAILERS),
        ),
        (
            "orders of a customer: 50, 75, 90, 99 %",
            *(quantiles(_COUNTS, each, [0.5, 0.75, 0.9, 0.99], 0) for each in RETAILERS),
        ),
        ("customers who bought once", *(once(each) for each in RETAILERS)),
        ("bought again in month 1, 3, 6, 12", *(retention(each) for each in RETAILERS)),
    )
    return Table("The simulated retailer beside the real one", ("", *LEGEND), rows, (f"Picture: {PICTURE.name}.",))
