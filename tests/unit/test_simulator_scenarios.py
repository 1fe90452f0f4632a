"""Scenario switches: each changes what it says from its day on, and not one byte of the days before it."""

import hashlib
from datetime import date, timedelta

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from athena_assets.sources.simulator.parameters import InvalidSimulatorParameter, SimulatorParameters
from athena_assets.sources.simulator.retailer import simulate

START = date(2026, 6, 1)
SHOP = {"customers": 3_000, "history_days": 90, "nights": 12, "first_night": START}


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    """Simulates a scenario once; returns the retailer."""
    made = {}

    def make(**scenario):
        key = str(sorted(scenario.items()))
        if key not in made:
            folder = tmp_path_factory.mktemp("scenario")
            made[key] = simulate(SimulatorParameters(**(SHOP | scenario)), folder / "landing", folder / "truth")
        return made[key]

    return make


def digests(retailer, until):
    """SHA-256 of every file delivered for nights before `until`."""
    return {
        (delivery.last_day, path.name): hashlib.sha256(path.read_bytes()).hexdigest()
        for delivery in retailer.deliveries
        if delivery.last_day < until
        for table in delivery.tables.values()
        for path in table.paths
    }


def ask(retailer, table, sql):
    """`sql` over all deliveries of a table as `t`, with `night` the day of the delivery."""
    parts = " UNION ALL BY NAME ".join(
        f"SELECT *, DATE '{delivery.last_day}' AS night FROM read_parquet('{path}', hive_partitioning = false)"
        for delivery in retailer.deliveries
        for path in delivery.tables[table].paths
    )
    return duckdb.execute(f"WITH t AS ({parts}) {sql}").fetchall()


def purchases_by_day(retailer):
    return dict(ask(retailer, "orders", "SELECT order_ts::DATE, count(*) FROM t WHERE NOT is_return GROUP BY 1"))


@pytest.mark.parametrize("name", ["drift_from", "holiday_from", "outage_from", "rename_from"])
def test_scenario_when_its_day_comes_then_nothing_before_it_has_changed(delivered, name):
    begins = START + timedelta(days=4)
    plain, changed = digests(delivered(), begins), digests(delivered(**{name: begins}), begins)
    assert len(plain) == 5 * 6
    assert changed == plain
    everything = START + timedelta(days=100)
    assert digests(delivered(**{name: begins}), everything) != digests(delivered(), everything)


def test_drift_when_it_has_begun_then_purchases_and_baskets_move_by_their_factors(delivered):
    begins = START - timedelta(days=30)
    plain = delivered(customers=9_000)
    drifted = delivered(customers=9_000, drift_from=begins, drift_purchases=0.5, drift_basket=2.0, bot_share=0.0002)
    before, after = purchases_by_day(plain), purchases_by_day(drifted)
    was, now = (sum(count for day, count in days.items() if day >= begins) for days in (before, after))
    # New customers register with an order and are not slowed down.
    arrived = ask(drifted, "customers", f"SELECT count(*) FROM t WHERE registered_on >= DATE '{begins}'")[0][0]
    assert (now - arrived) / (was - arrived) == pytest.approx(0.5, abs=4 * np.sqrt(0.75 / was))
    lines = dict(
        ask(
            drifted,
            "order_lines",
            f"""SELECT is_after, avg(n - 1) FROM (SELECT order_ts >= DATE '{begins}' AS is_after, count(*) AS n FROM t
            WHERE NOT is_return GROUP BY 1, order_id) GROUP BY 1""",
        )
    )
    # An order names a product once, so that doubled baskets gain a little less.
    assert lines[True] / lines[False] == pytest.approx(1.95, abs=0.1)


def test_drift_when_it_lies_ahead_then_the_true_churn_probability_knows_it(delivered):
    def mean_probability(retailer):
        return duckdb.execute(
            f"SELECT avg(churn_probability) FROM '{retailer.truth['snapshots']}' WHERE as_of = DATE '2026-04-01'"
        ).fetchall()[0][0]

    slowed = delivered(drift_from=date(2026, 5, 1), drift_purchases=0.2)
    assert mean_probability(slowed) > mean_probability(delivered()) + 0.1


def test_holiday_when_the_week_is_over_then_purchases_were_inflated_in_it_alone_and_many_discounted(delivered):
    begins, days = START - timedelta(days=40), 7
    plain, holiday = delivered(), delivered(holiday_from=begins, holiday_lift=3.0)
    before, after = purchases_by_day(plain), purchases_by_day(holiday)

    def ratio(first, count):
        wanted = [first + timedelta(days=offset) for offset in range(count)]
        was, now = (sum(days_of.get(day, 0) for day in wanted) for days_of in (before, after))
        return now / was, np.sqrt(2 / was)

    week, error = ratio(begins, days)
    # Arrivals are not inflated, and a customer orders at most once a day.
    assert 3.0 * 0.85 - 4 * 3 * error < week < 3.0 + 4 * 3 * error
    for first in (begins - timedelta(days=20), begins + timedelta(days=days)):
        same, error = ratio(first, 20)
        assert abs(same - 1) < 4 * error
    discounted = dict(
        ask(
            holiday,
            "order_lines",
            f"""SELECT order_ts::DATE BETWEEN DATE '{begins}' AND DATE '{begins}' + {days - 1},
                avg((unit_price::DOUBLE * 100 % 50 NOT BETWEEN 48.9 AND 49.1)::INT)
            FROM t WHERE NOT is_return GROUP BY 1""",
        )
    )
    assert discounted[True] > 0.3
    assert discounted[False] < 0.12


@pytest.mark.parametrize("recovered", [1.0, 0.0, 0.4])
def test_outage_when_nights_deliver_nothing_then_their_orders_come_afterwards_as_far_as_recovered(delivered, recovered):
    begins, nights = START + timedelta(days=3), 2
    plain = delivered()
    broken = delivered(outage_from=begins, outage_nights=nights, outage_recovered=recovered)
    end = begins + timedelta(days=nights)
    by_night = dict(ask(broken, "orders", "SELECT night, count(*) FROM t GROUP BY 1"))
    assert [day for day in (begins, begins + timedelta(days=1)) if day in by_night] == []
    empty = next(delivery for delivery in broken.deliveries if delivery.last_day == begins)
    assert {name: table.rows for name, table in empty.tables.items() if table.rows == 0}.keys() >= {
        "orders",
        "order_lines",
    }
    assert pq.read_metadata(empty.tables["orders"].paths[0]).num_rows == 0
    assert empty.tables["customers"].rows > 0
    missing = f"SELECT order_id FROM t WHERE night >= DATE '{begins}' AND night < DATE '{end}' ORDER BY 1"
    lost = [order for (order,) in ask(plain, "orders", missing)]
    came = dict(ask(broken, "orders", f"SELECT order_id, known_at FROM t WHERE night = DATE '{end}'"))
    found = [order for order in lost if order in came]
    assert len(found) / len(lost) == pytest.approx(recovered, abs=4 * np.sqrt(recovered * (1 - recovered) / len(lost)))
    assert {known_at.date() for known_at in came.values()} == {end + timedelta(days=1)}
    everything = f"SELECT order_id FROM t WHERE night <= DATE '{START}' + 11 ORDER BY 1"
    assert len(ask(plain, "orders", everything)) - len(ask(broken, "orders", everything)) == len(lost) - len(found)


def test_rename_when_its_night_comes_then_orders_name_the_total_otherwise_and_hold_the_same(delivered):
    begins = START + timedelta(days=4)
    plain, renamed = delivered(), delivered(rename_from=begins)
    for was, now in zip(plain.deliveries, renamed.deliveries, strict=True):
        for table in was.tables:
            before, after = (pq.read_table(each.tables[table].paths[0], partitioning=None) for each in (was, now))
            expected = before.column_names
            if table == "orders" and now.last_day >= begins:
                expected = [name.replace("total_order_amount", "order_total_amount") for name in expected]
            assert after.column_names == expected
            assert after.rename_columns(before.column_names).equals(before)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("drift_from", "2026-10-30"),
        ("drift_purchases", 0.0),
        ("drift_basket", 11.0),
        ("holiday_days", 0),
        ("holiday_lift", 0.5),
        ("outage_nights", 0),
        ("outage_recovered", 1.5),
        ("rename_from", START - timedelta(days=1)),
    ],
)
def test_scenario_when_a_value_is_impossible_then_the_error_names_it(name, value):
    with pytest.raises(InvalidSimulatorParameter, match=name):
        SimulatorParameters(**(SHOP | {name: value}))
