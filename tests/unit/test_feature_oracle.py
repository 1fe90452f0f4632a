"""Every feature against a second, naive implementation: plain Python over one customer's rows, one at a time.

The oracle shares nothing with the SQL: windows are written as instants, money as fractions.
"""

import math
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from athena_assets.features.evaluate import evaluate, evaluate_customers
from athena_assets.features.feature_set import ACTIVE_CUSTOMERS, load_feature_set

Row = dict[str, Any]
AS_OF = datetime(2011, 1, 15)
CUTOFF = datetime(2011, 1, 15, 2)
INSTANT = timedelta(microseconds=1)
MONEY = pa.decimal128(18, 4)
TS = pa.timestamp("us")
SCHEMAS = {
    "orders": pa.schema(
        [("order_id", pa.string()), ("customer_id", pa.string()), ("order_ts", TS), ("known_at", TS),
         ("total_order_amount", MONEY), ("item_count", pa.int64()), ("is_return", pa.bool_()), ("channel", pa.string())]
    ),
    "service_contacts": pa.schema(
        [("contact_id", pa.string()), ("customer_id", pa.string()), ("contact_ts", TS), ("known_at", TS),
         ("topic", pa.string()), ("is_resolved", pa.bool_())]
    ),
    "campaign_contacts": pa.schema(
        [("contact_id", pa.string()), ("customer_id", pa.string()), ("contact_ts", TS), ("known_at", TS),
         ("arm", pa.string()), ("response", pa.bool_())]
    ),
    "customers": pa.schema(
        [("customer_id", pa.string()), ("known_at", TS), ("registered_on", pa.date32()), ("country", pa.string())]
    ),
}  # fmt: skip


def days(count: float) -> timedelta:
    return timedelta(days=count)


def ratio(top: Fraction | int, bottom: Fraction | int) -> float | None:
    return None if bottom == 0 else float(Fraction(top) / Fraction(bottom))


def calendar_days(then: date | datetime, as_of: datetime) -> int:
    return (as_of.date() - (then.date() if isinstance(then, datetime) else then)).days


def seen(rows: Iterable[Row], key: str, as_of: datetime, cutoff: datetime) -> list[Row]:
    return [row for row in rows if row[key] < as_of and row["known_at"] <= cutoff]


def order_features(mine: list[Row], as_of: datetime) -> Row:
    bought = sorted((r for r in mine if not r["is_return"]), key=lambda r: (r["order_ts"], r["total_order_amount"]))
    returned = [r for r in mine if r["is_return"]]

    def within(rows: list[Row], start: float, end: float = 0) -> list[Row]:
        return [r for r in rows if as_of - days(start) <= r["order_ts"] < as_of - days(end)]

    def spend(rows: list[Row]) -> Fraction:
        return sum((Fraction(r["total_order_amount"]) for r in rows), Fraction(0))

    year, back = within(bought, 365), within(returned, 365)
    season = within(bought, 365, 275)
    ago = [calendar_days(r["order_ts"], as_of) for r in bought]
    gap = ratio(ago[0] - ago[-1], len(ago) - 1) if len(ago) > 1 else None
    amounts = [Fraction(r["total_order_amount"]) for r in year]
    mean = spend(year) / len(year) if year else Fraction(0)
    spread = sum((a - mean) ** 2 for a in amounts) / (len(year) - 1) if len(year) > 1 else None
    known = [r for r in year if r["channel"] is not None]
    kinds = {r["channel"] if r["channel"] in ("web", "app", "store") else "other" for r in known}
    result: Row = {f"orders_{n}d": len(within(bought, n)) for n in (30, 60, 90, 180, 365)}
    result |= {f"spend_{n}d": spend(within(bought, n)) for n in (30, 90, 180, 365)}
    result |= {f"avg_order_value_{n}d": ratio(spend(within(bought, n)), len(within(bought, n))) for n in (90, 365)}
    return result | {
        "recency_days": ago[-1] if ago else None,
        "tenure_days": ago[0] if ago else None,
        "orders_total": len(bought),
        "max_order_value_365d": max(amounts) if amounts else None,
        "order_value_spread_365d": None if spread is None else math.sqrt(spread),
        "active_months_365d": sum(bool(within(year, 30 * k + 30, 30 * k)) for k in range(13)),
        "mean_gap_days": gap,
        "recency_over_mean_gap": ago[-1] / gap if gap else None,
        "previous_gap_days": ago[-2] - ago[-1] if len(ago) > 1 else None,
        "orders_trend_90d": (len(within(bought, 90)) + 1) / (len(within(bought, 180, 90)) + 1),
        "spend_trend_90d": ratio(spend(within(bought, 90)), spend(within(bought, 180))),
        "items_365d": sum(r["item_count"] for r in year),
        "items_per_order_365d": ratio(sum(r["item_count"] for r in year), len(year)),
        "return_count_365d": len(back),
        "return_rate_365d": ratio(len(back), len(back) + len(year)),
        "returned_value_365d": -spend(back),
        "days_since_last_return": min((calendar_days(r["order_ts"], as_of) for r in returned), default=None),
        "last_order_value": Fraction(bought[-1]["total_order_amount"]) if bought else None,
        "orders_same_season_last_year": len(season),
        "spend_same_season_last_year": spend(season),
        "november_december_share_365d": ratio(sum(r["order_ts"].month in (11, 12) for r in year), len(year)),
        "weekend_share_365d": ratio(sum(r["order_ts"].weekday() in (5, 6) for r in year), len(year)),
        "online_share_365d": ratio(sum(r["channel"] != "store" for r in known), len(known)),
        "channel_count_365d": len(kinds),
    }


def contact_features(service: list[Row], campaign: list[Row], as_of: datetime) -> Row:
    def recent(rows: list[Row], count: int) -> list[Row]:
        return [r for r in rows if as_of - days(count) <= r["contact_ts"]]

    contacted = [r for r in campaign if r["arm"] == "treatment"]
    responses = sum(r["response"] for r in recent(contacted, 365))
    return {
        "service_contacts_30d": len(recent(service, 30)),
        "service_contacts_90d": len(recent(service, 90)),
        "complaints_90d": sum(r["topic"] != "question" for r in recent(service, 90)),
        "unresolved_contacts_180d": sum(not r["is_resolved"] for r in recent(service, 180)),
        "days_since_last_contact": min((calendar_days(r["contact_ts"], as_of) for r in service), default=None),
        "campaign_contacts_90d": len(recent(contacted, 90)),
        "campaign_responses_365d": responses,
        "campaign_response_rate_365d": ratio(responses, len(recent(contacted, 365))),
    }


def oracle(tables: dict[str, list[Row]], customer: str, as_of: datetime, cutoff: datetime, country: str) -> Row:
    """Every feature of one customer, row by row."""
    everybody = seen(tables["orders"], "order_ts", as_of, cutoff)

    def mine(rows: list[Row]) -> list[Row]:
        return [row for row in rows if row["customer_id"] == customer]

    versions = [r for r in mine(tables["customers"]) if r["registered_on"] < as_of.date() and r["known_at"] <= cutoff]
    placed = [r for r in sorted(versions, key=lambda r: r["known_at"]) if r["country"] is not None]
    first = min((r["order_ts"] for r in everybody), default=None)
    return (
        order_features(mine(everybody), as_of)
        | contact_features(
            mine(seen(tables["service_contacts"], "contact_ts", as_of, cutoff)),
            mine(seen(tables["campaign_contacts"], "contact_ts", as_of, cutoff)),
            as_of,
        )
        | {
            "is_domestic": placed[-1]["country"] == country if placed else None,
            "days_since_registration": max((calendar_days(r["registered_on"], as_of) for r in versions), default=None),
            "as_of_day_of_year": as_of.timetuple().tm_yday,
            "history_days": None if first is None else min(365, calendar_days(first, as_of)),
        }
    )


def active(tables: dict[str, list[Row]], as_of: datetime, cutoff: datetime) -> list[str]:
    rows = seen(tables["orders"], "order_ts", as_of, cutoff)
    recent = [r for r in rows if not r["is_return"] and r["order_ts"] >= as_of - days(365)]
    return sorted({r["customer_id"] for r in recent if r["customer_id"] is not None})


def differences(row: Row, expected: Row) -> list[str]:
    """Features whose value is not the oracle's: exact but for the last bits of a DOUBLE."""
    wrong = []
    for name, value in expected.items():
        got = row[name]
        if isinstance(value, float) and isinstance(got, float):
            same = math.isclose(got, value, rel_tol=1e-12, abs_tol=1e-9 if "spread" in name else 0.0)
        else:
            same = (got is None) == (value is None) and (value is None or Fraction(got) == Fraction(value))
        if not same:
            wrong.append(f"{name}: SQL {got!r}, oracle {value!r}")
    return wrong


def warehouse(tables: dict[str, list[Row]]) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("CREATE SCHEMA orders")
    for name, schema in SCHEMAS.items():
        connection.register("rows", pa.Table.from_pylist(tables[name], schema=schema))
        connection.execute(f"CREATE TABLE orders.all_{name} AS SELECT * FROM rows")
        connection.unregister("rows")
    return connection


EDGES = [days(n) + k * INSTANT for n in (0, 1, 30, 60, 90, 180, 275, 360, 365, 400) for k in (-1, 0, 1)]


def random_instant(rng: Random, as_of: datetime) -> datetime:
    """Half of them on the edges of the windows, the others anywhere from the far past to after as_of."""
    if rng.random() < 0.5:
        return as_of - rng.choice(EDGES)
    return as_of + days(20) - timedelta(seconds=rng.randrange(600 * 86_400))


def random_known(rng: Random, instant: datetime, as_of: datetime) -> datetime:
    cutoff = as_of + timedelta(hours=2)
    return rng.choice([instant, instant, instant + days(1), instant + days(14), cutoff, cutoff + INSTANT])


def random_order(rng: Random, customer: str | None, as_of: datetime) -> Row:
    instant, is_return = random_instant(rng, as_of), rng.random() < 0.25
    amount = Decimal(rng.randrange(10 ** rng.choice([4, 7, 12]))).scaleb(-4)
    return {
        "customer_id": customer,
        "order_ts": instant,
        "known_at": random_known(rng, instant, as_of),
        "total_order_amount": -amount if is_return else amount,
        "item_count": rng.randint(1, 500) * (-1 if is_return else 1),
        "is_return": is_return,
        "channel": rng.choice(["web", "app", "store", "telephone", "fair", None]),
    }


def random_contact(rng: Random, customer: str, as_of: datetime) -> Row:
    """A row that serves as service contact and as campaign contact."""
    instant = random_instant(rng, as_of)
    return {
        "customer_id": customer,
        "contact_ts": instant,
        "known_at": random_known(rng, instant, as_of),
        "topic": rng.choice(["delivery", "quality", "billing", "question"]),
        "is_resolved": rng.random() < 0.5,
        "arm": rng.choice(["treatment", "holdout"]),
        "response": rng.random() < 0.5,
    }


def random_versions(rng: Random, customer: str, as_of: datetime) -> list[Row]:
    """Versions of a customer, no two known at the same instant."""
    registered = random_instant(rng, as_of)
    known = {random_known(rng, registered + days(n), as_of) for n in range(rng.randrange(4))}
    return [
        {
            "customer_id": customer,
            "known_at": instant,
            "registered_on": registered.date(),
            "country": rng.choice(["United Kingdom", "France", None]),
        }
        for instant in sorted(known)
    ]


# A year before the second as_of lies a Saturday in December: the edge of the seasonal and weekend shares.
@pytest.mark.parametrize("as_of", [AS_OF, datetime(2010, 12, 5), datetime(2012, 3, 1)])
def test_every_feature_on_random_rows_equals_the_naive_oracle(as_of: datetime) -> None:
    rng, cutoff = Random(as_of.toordinal()), as_of + timedelta(hours=2)
    names = [f"C-{number:03d}" for number in range(250)]
    contacts = [random_contact(rng, name, as_of) for name in names for _ in range(rng.randrange(8))]
    tables = {
        "orders": [random_order(rng, name, as_of) for name in [None, *names] for _ in range(rng.randrange(16))],
        "service_contacts": contacts,
        "campaign_contacts": contacts,
        "customers": [row for name in names for row in random_versions(rng, name, as_of)],
    }
    features = load_feature_set(SCHEMAS, business_country="United Kingdom")
    with warehouse(tables) as connection:
        rows = evaluate(connection, features, ACTIVE_CUSTOMERS, as_of=as_of, cutoff=cutoff).to_pylist()
    assert [row["customer_id"] for row in rows] == active(tables, as_of, cutoff)
    assert len(rows) > 100
    for row in rows:
        expected = oracle(tables, row["customer_id"], as_of, cutoff, "United Kingdom")
        assert set(expected) == set(features.columns)
        assert differences(row, expected) == []


def test_a_retailer_without_orders_has_no_features_and_one_order_gives_the_oracles() -> None:
    features = load_feature_set(SCHEMAS, business_country="United Kingdom")
    tables: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
    with warehouse(tables) as connection:
        assert evaluate(connection, features, ACTIVE_CUSTOMERS, as_of=AS_OF, cutoff=CUTOFF).num_rows == 0
    order = random_order(Random(0), "C-1", AS_OF) | {
        "order_ts": AS_OF - days(1),
        "known_at": CUTOFF,
        "is_return": False,
    }
    tables["orders"] = [order]
    with warehouse(tables) as connection:
        (row,) = evaluate(connection, features, ACTIVE_CUSTOMERS, as_of=AS_OF, cutoff=CUTOFF).to_pylist()
    assert differences(row, oracle(tables, "C-1", AS_OF, CUTOFF, "United Kingdom")) == []


@pytest.fixture(scope="module")
def online_retail(shared_data: Path) -> duckdb.DuckDBPyConnection:
    """Orders of the real retailer: invoices of identified customers, cancellations left out."""
    source = shared_data / "retail" / "online_retail_II_to_2011-08-31.parquet"
    connection = duckdb.connect(config={"threads": 2})
    connection.execute("CREATE SCHEMA orders")
    connection.execute(
        """
        CREATE TABLE orders.all_orders AS
        SELECT Invoice AS order_id, 'C-' || CAST(CAST("Customer ID" AS BIGINT) AS VARCHAR) AS customer_id,
            min(InvoiceDate)::TIMESTAMP AS order_ts, date_trunc('day', min(InvoiceDate)) + INTERVAL 1 DAY AS known_at,
            CAST(sum(CAST(Quantity AS BIGINT) * CAST(Price AS DECIMAL(14, 4))) AS DECIMAL(18, 4)) AS total_order_amount,
            CAST(sum(Quantity) AS BIGINT) AS item_count, false AS is_return, 'web' AS channel
        FROM read_parquet($source) WHERE Invoice NOT LIKE 'C%' AND "Customer ID" IS NOT NULL GROUP BY 1, 2
        """,
        {"source": str(source)},
    )
    return connection


@pytest.mark.parametrize("as_of", [AS_OF, datetime(2011, 6, 3)])
def test_three_hundred_real_customers_at_a_snapshot_equal_the_naive_oracle(
    online_retail: duckdb.DuckDBPyConnection, as_of: datetime
) -> None:
    cutoff = as_of + (CUTOFF - AS_OF)
    features = load_feature_set(["orders"], business_country=None)
    tables: dict[str, list[Row]] = {name: [] for name in SCHEMAS}
    orders = online_retail.sql("SELECT * FROM orders.all_orders").to_arrow_table().to_pylist()
    names = active({"orders": orders}, as_of, cutoff)[::13][:300]
    rows = evaluate_customers(online_retail, features, names, as_of=as_of, cutoff=cutoff).to_pylist()
    assert len(rows) == len(names) == 300
    first = min(order["order_ts"] for order in orders)
    for row in rows:
        mine = [order for order in orders if order["customer_id"] == row["customer_id"]]
        # history_days looks at the whole retailer: its first order stands for all the others.
        whole = [*mine, {"customer_id": None, "order_ts": first, "known_at": first}]
        expected = oracle(tables | {"orders": whole}, row["customer_id"], as_of, cutoff, "")
        assert differences(row, {name: expected[name] for name in features.columns}) == []
