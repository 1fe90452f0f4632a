"""Prices, product lives, loyalty, staff, bots and late orders: each measured against the parameter that rules it."""

from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import DAYS_PER_YEAR
from athena_assets.sources.simulator.retailer import simulate

PLAIN = {
    "nights": 0,
    "christmas_strength": 0.0,
    "lifetime_years": 50.0,
    "dropout_shape": 20.0,
    "complaint_rate": 0.0,
    "campaign_reach_per_day": 0.0,
    "loyalty_joins_per_year": 0.0,
    "staff_share": 0.0,
    "bot_share": 0.0,
    "late_till_share": 0.0,
}
"""Nobody leaves, no season, no campaign: what is left is the feature under test."""


@pytest.fixture
def simulated(tmp_path):
    """Simulates with the given parameters; returns a connection with the deliveries and truth_* as tables."""
    connections = []

    def make(**parameters):
        folder = tmp_path / str(len(connections))
        retailer = simulate(SimulatorParameters(**(PLAIN | parameters)), folder / "landing", folder / "truth")
        connection = duckdb.connect()
        for table in retailer.deliveries[0].tables:
            paths = [str(path) for delivery in retailer.deliveries for path in delivery.tables[table].paths]
            connection.execute(
                f"CREATE TABLE {table} AS FROM read_parquet($paths, hive_partitioning = false)", {"paths": paths}
            )
        for name, path in retailer.truth.items():
            connection.execute(f"CREATE TABLE truth_{name} AS FROM '{path}'")
        connections.append(connection)
        return connection

    yield make
    for connection in connections:
        connection.close()


def within(share, expected, size):
    """Four standard errors of a share."""
    return abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / size)


@pytest.mark.parametrize("inflation", [0.0, 0.1])
def test_list_prices_when_two_years_have_passed_then_risen_by_inflation_twice(simulated, inflation):
    shop = simulated(customers=100, history_days=730, price_inflation=inflation, product_life_years=100.0)
    growth = shop.execute(
        """SELECT ln((arg_max(list_price, known_at) / arg_min(list_price, known_at))::DOUBLE) AS growth
        FROM products GROUP BY product_id HAVING min(known_at) < $first""",
        {"first": SimulatorParameters(history_days=730).first_day + timedelta(days=1)},
    ).fetchnumpy()["growth"]
    assert growth.size == 1_200
    assert abs(growth.mean() - 2 * np.log1p(inflation)) <= 4 * growth.std() / np.sqrt(growth.size)


def test_inflation_when_switched_off_then_the_same_orders_at_other_prices(simulated):
    columns = "order_id, product_id, quantity, order_ts, customer_id"
    with_it, without = (simulated(customers=300, history_days=400, price_inflation=rate) for rate in (0.1, 0.0))
    ask = f"SELECT {columns} FROM order_lines ORDER BY ALL"
    assert with_it.execute(ask).fetchall() == without.execute(ask).fetchall()
    dearer, cheaper = (
        shop.execute("SELECT sum(unit_price) FROM order_lines").fetchone()[0] for shop in (with_it, without)
    )
    assert dearer > cheaper


def test_products_when_lives_are_a_year_long_then_as_many_are_on_sale_as_a_year_launches(simulated):
    shop = simulated(
        customers=100, history_days=1_800, products=100, product_launches_per_day=3, product_life_years=1.0
    )
    ((on_sale,),) = shop.execute(
        "SELECT count(*) FROM truth_products WHERE retired_on > $last", {"last": SimulatorParameters().first_night}
    ).fetchall()
    # Launches are steady, so the number varies less than a Poisson count of the same mean.
    assert abs(on_sale - 3 * 365) < 4 * np.sqrt(3 * 365)


def test_products_when_they_grow_and_decline_then_sales_follow_their_stage_of_life(simulated):
    parameters = {"customers": 3_000, "history_days": 730, "products": 300, "product_life_years": 1.0}
    shop = simulated(**parameters, lines_per_order=1.0, favourite_share=0.0, return_rate=0.0, zipf_exponent=0.5)
    first = SimulatorParameters(**(PLAIN | parameters)).first_day
    lives = shop.execute(
        """SELECT product_id, born_on - $first AS born, retired_on - $first AS retired, popularity,
            min(known_at)::DATE - 1 - $first AS launched, category = 'christmas' AS is_christmas
        FROM truth_products JOIN products USING (product_id) GROUP BY ALL ORDER BY product_id""",
        {"first": first},
    ).fetchnumpy()
    born, retired, launched = (lives[name].astype(float) for name in ("born", "retired", "launched"))
    expected = dict.fromkeys(("growth", "prime", "decline"), 0.0)
    for day, count in shop.execute(
        "SELECT order_ts::DATE - $first AS day, count(*) FROM order_lines GROUP BY 1", {"first": first}
    ).fetchall():
        boost = {10: 2.0, 11: 4.0, 12: 4.0}.get((first + timedelta(days=day)).month, 0.25)
        age, left = day - born, (retired - day) / (retired - born)
        weight = lives["popularity"] * np.where(lives["is_christmas"], boost, 1.0)
        weight *= np.clip((age + 1) / 60, 0, 1) * np.clip(left / 0.3, 0, 1) * (launched <= day)
        stages = {"decline": left < 0.3, "growth": (age < 60) & (left >= 0.3), "prime": (age >= 60) & (left >= 0.3)}
        for stage, there in stages.items():
            expected[stage] += count * weight[there].sum() / weight.sum()
    seen = dict(
        shop.execute(
            """SELECT CASE WHEN left_over < 0.3 THEN 'decline' WHEN age < 60 THEN 'growth' ELSE 'prime' END, count(*)
            FROM (SELECT order_ts::DATE - born_on AS age, (retired_on - order_ts::DATE) / (retired_on - born_on)
                AS left_over FROM order_lines JOIN truth_products USING (product_id)) GROUP BY 1"""
        ).fetchall()
    )
    assert seen.keys() == expected.keys()
    for stage, lines in expected.items():
        assert lines > 1_000
        assert abs(seen[stage] - lines) < 4 * np.sqrt(lines)
    assert shop.execute(
        "SELECT count(*) FROM order_lines JOIN truth_products USING (product_id) WHERE order_ts >= retired_on"
    ).fetchall() == [(0,)]


def test_products_when_nothing_is_launched_then_nothing_is_retired(simulated):
    shop = simulated(customers=100, history_days=60, product_launches_per_day=0, product_life_years=0.2)
    assert shop.execute("SELECT count(*), count(retired_on) FROM truth_products").fetchall() == [(1_200, 0)]


def test_loyalty_when_customers_stay_longer_then_more_are_members_as_the_rate_says(simulated):
    shop = simulated(customers=6_000, history_days=730, loyalty_joins_per_year=0.5)
    last = SimulatorParameters().first_night
    rows = shop.execute(
        """SELECT ($last - registered_on) / 365.25 AS tenure, loyal_from IS NOT NULL AS member,
            loyal_from <= registered_on AS early
        FROM customers JOIN truth_customers USING (customer_id)""",
        {"last": last},
    ).fetchnumpy()
    assert not np.ma.filled(rows["early"], False).any()
    member, tenure = rows["member"].astype(float), rows["tenure"].astype(float)
    for low, high in ((0, 1), (1, 2), (2, 5)):
        of_these = (tenure >= low) & (tenure < high)
        assert of_these.sum() > 100
        assert within(member[of_these].mean(), 1 - np.exp(-0.5 * tenure[of_these].mean()), of_these.sum())


def test_loyalty_when_joined_then_orders_and_their_lines_grow_by_the_declared_factors(simulated):
    shop = simulated(
        customers=6_000,
        history_days=730,
        loyalty_joins_per_year=0.3,
        loyalty_purchase_lift=1.5,
        loyalty_basket_lift=2.0,
        favourite_share=0.0,
        zipf_exponent=0.0,
    )
    first, end = SimulatorParameters().first_day, SimulatorParameters().first_night
    expected, orders = {}, {}
    # The same customers before and after they joined.
    for member, since, until in ((True, "loyal_from", "$end"), (False, "$first", "loyal_from")):
        ((expected[member],),) = shop.execute(
            f"""SELECT sum(purchases_per_year * ({until} - {since})) / {DAYS_PER_YEAR}
            FROM truth_customers JOIN customers USING (customer_id)
            WHERE loyal_from >= $first AND loyal_from < $end AND dropped_out_on IS NULL AND registered_on < $first""",
            {"first": first, "end": end},
        ).fetchall()
    for is_member, count, extra in shop.execute(
        """SELECT o.order_ts::DATE >= loyal_from, count(*), avg(lines - 1)
        FROM orders o JOIN (SELECT order_id, count(*) AS lines FROM order_lines GROUP BY 1) USING (order_id)
        JOIN truth_customers USING (customer_id) JOIN customers USING (customer_id)
        WHERE NOT is_return AND loyal_from >= $first AND dropped_out_on IS NULL
          AND registered_on < $first GROUP BY 1""",
        {"first": first},
    ).fetchall():
        orders[is_member] = (count, extra)
    for is_member, lift in ((True, 1.5), (False, 1.0)):
        ratio = orders[is_member][0] / expected[is_member]
        # A day holds one order at most, which takes up to two in a hundred.
        assert lift * 0.97 - 4 / np.sqrt(expected[is_member]) < ratio < lift * 1.01 + 4 / np.sqrt(expected[is_member])
    assert orders[True][1] / orders[False][1] == pytest.approx(2.0, rel=0.1)


def test_staff_when_there_are_some_then_their_share_their_discount_and_small_frequent_orders(simulated):
    shop = simulated(
        customers=4_000, history_days=365, staff_share=0.05, return_rate=0.0, bot_share=0.01, loyalty_joins_per_year=1.0
    )
    assert shop.execute("SELECT count(loyal_from) FROM truth_customers WHERE is_staff OR is_bot").fetchall() == [(0,)]
    ((staff, size),) = shop.execute("SELECT count(*) FILTER (is_staff), count(*) FROM truth_customers").fetchall()
    assert within(staff / size, 0.05, size)
    ((per_year, others),) = shop.execute(
        """SELECT avg(n) FILTER (is_staff), avg(n) FILTER (NOT is_staff AND NOT is_bot)
        FROM (SELECT customer_id, count(order_id) AS n FROM customers LEFT JOIN orders USING (customer_id)
            WHERE registered_on < $first GROUP BY ALL)
        JOIN truth_customers USING (customer_id) WHERE dropped_out_on IS NULL""",
        {"first": SimulatorParameters(history_days=365).first_day},
    ).fetchall()
    expected = (1 - np.exp(-45 / DAYS_PER_YEAR)) * 365
    assert per_year == pytest.approx(expected, abs=4 * np.sqrt(expected / staff))
    assert per_year > 3 * others
    paid = shop.execute(
        """SELECT DISTINCT is_staff, round(l.unit_price / p.list_price, 2)
        FROM (SELECT *, order_ts::DATE + 1 + INTERVAL 30 MINUTE AS on_the_day FROM order_lines) l
        ASOF JOIN products p ON p.product_id = l.product_id AND p.known_at <= l.on_the_day
        JOIN truth_customers USING (customer_id) WHERE p.list_price > 5"""
    ).fetchall()
    assert {float(share) for is_staff, share in paid if is_staff} == {0.75}
    assert 0.75 not in {float(share) for is_staff, share in paid if not is_staff}


def test_bots_when_there_are_some_then_their_share_and_many_lines_every_other_day(simulated):
    shop = simulated(customers=4_000, history_days=365, bot_share=0.02, zipf_exponent=0.0, favourite_share=0.0)
    ((bots, size),) = shop.execute("SELECT count(*) FILTER (is_bot), count(*) FROM truth_customers").fetchall()
    assert within(bots / size, 0.02, size)
    days = dict(
        shop.execute(
            """SELECT is_bot, count(DISTINCT (customer_id, order_ts::DATE)) / count(DISTINCT customer_id)
            FROM orders JOIN truth_customers USING (customer_id) JOIN customers USING (customer_id)
            WHERE NOT is_return AND registered_on < $first GROUP BY 1""",
            {"first": SimulatorParameters(history_days=365).first_day},
        ).fetchall()
    )
    assert days[True] == pytest.approx((1 - np.exp(-180 / DAYS_PER_YEAR)) * 365, rel=0.05)
    assert days[True] > 10 * days[False]
    lines = dict(
        shop.execute(
            """SELECT is_bot, count(*) / count(DISTINCT order_id) FROM order_lines
            JOIN truth_customers USING (customer_id) WHERE NOT is_return GROUP BY 1"""
        ).fetchall()
    )
    assert lines[True] == pytest.approx(13, rel=0.03)
    assert lines[True] > 3 * lines[False]


def test_bulk_orders_when_there_are_some_then_the_declared_share_with_four_to_sixty_times_the_units(simulated):
    shop = simulated(
        customers=3_000,
        history_days=365,
        bulk_share=0.1,
        units_per_line=1.0,
        basket_sigma=0.0,
        return_rate=0.0,
        zipf_exponent=0.0,
        favourite_share=0.0,
    )
    units = shop.execute(
        "SELECT max(quantity) AS most, min(quantity) AS least FROM order_lines GROUP BY order_id"
    ).fetchnumpy()
    # With one unit a line a bulk order is seen for certain, and all its lines have the same factor.
    assert (units["most"] == units["least"]).all()
    bulk = units["most"][units["most"] > 1]
    assert within(bulk.size / units["most"].size, 0.1, units["most"].size)
    assert (bulk.min(), bulk.max()) == (4, 60)
    # A factor is above x with probability (4 / x) ** 1.5; 16.5, because units are whole.
    assert within((bulk > 16).mean(), (4 / 16.5) ** 1.5, bulk.size)


def test_late_orders_when_tills_were_offline_then_the_declared_share_of_store_orders_one_to_five_nights(simulated):
    shop = simulated(customers=4_000, history_days=365, nights=10, late_till_share=0.3, first_night=date(2026, 6, 1))
    # What is still on its way when the nights end is not delivered, so the last five days are left out.
    nights = dict(
        shop.execute(
            """SELECT date_diff('day', order_ts, known_at) - 1 AS nights, count(*) FROM orders
            WHERE channel = 'store' AND order_ts < DATE '2026-06-06' GROUP BY 1"""
        ).fetchall()
    )
    total, late = sum(nights.values()), sum(count for night, count in nights.items() if night)
    assert within(late / total, 0.3, total)
    assert set(nights) == {0, 1, 2, 3, 4, 5}
    assert all(within(nights[night] / late, 0.2, late) for night in range(1, 6))
    assert shop.execute(
        "SELECT count(*) FROM orders WHERE channel <> 'store' AND known_at::DATE - 1 <> order_ts::DATE"
    ).fetchall() == [(0,)]


def test_late_orders_when_switched_off_then_the_same_orders_in_time(simulated):
    parameters = {"customers": 500, "history_days": 120, "nights": 0}
    late, in_time = (simulated(**parameters, late_till_share=share) for share in (0.5, 0.0))
    end = SimulatorParameters(**(PLAIN | parameters)).first_night - timedelta(days=5)
    for table in ("orders", "order_lines"):
        ask = f"SELECT * EXCLUDE (known_at) FROM {table} WHERE order_ts < $end ORDER BY ALL"
        assert late.execute(ask, {"end": end}).fetchall() == in_time.execute(ask, {"end": end}).fetchall()
    assert in_time.execute("SELECT count(*) FROM orders WHERE known_at::DATE - 1 <> order_ts::DATE").fetchall() == [
        (0,)
    ]
