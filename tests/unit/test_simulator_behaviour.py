"""The simulated people: do they buy, leave, return with the season and answer campaigns as the model says?"""

from dataclasses import replace
from datetime import date, timedelta

import duckdb
import numpy as np
import pytest

from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.population import DAYS_PER_YEAR
from athena_assets.sources.simulator.probabilities import HiddenState, no_purchase_probability
from athena_assets.sources.simulator.retailer import simulate
from athena_assets.sources.simulator.season import REGULAR, RetailCalendar

LONG = SimulatorParameters(history_days=1_277)
SEASONS = [date(y, m, 1) for y in (2024, 2025) for m in (7, 10)] + [date(y, m, 1) for y in (2025, 2026) for m in (1, 4)]


def load(retailer):
    connection = duckdb.connect()
    for table in ("orders", "order_lines", "service_contacts", "campaign_contacts", "customers", "products"):
        paths = [str(path) for delivery in retailer.deliveries for path in delivery.tables[table].paths]
        connection.execute(
            f"CREATE TABLE {table} AS FROM read_parquet($paths, hive_partitioning = false)", {"paths": paths}
        )
    for name, path in retailer.truth.items():
        connection.execute(f"CREATE TABLE truth_{name} AS FROM '{path}'")
    return connection


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated")
    connection = load(simulate(LONG, folder / "landing", folder / "truth"))
    yield connection
    connection.close()


def population(people, as_of):
    """Customers with a purchase in the year before `as_of`: recency in days, orders in the year, churned."""
    return people.execute(
        """WITH seen AS (SELECT customer_id, $as_of - max(order_ts)::DATE AS recency, count(*) AS frequency
            FROM orders WHERE NOT is_return AND order_ts < $as_of AND order_ts >= $as_of - 365 GROUP BY ALL),
        back AS (SELECT DISTINCT customer_id FROM orders
            WHERE NOT is_return AND order_ts >= $as_of AND order_ts < $as_of + 90)
        SELECT recency, frequency, b.customer_id IS NULL AS churned, t.churn_probability AS probability
        FROM seen s LEFT JOIN back b USING (customer_id)
        JOIN truth_snapshots t ON t.customer_id = s.customer_id AND t.as_of = $as_of
        ORDER BY s.customer_id""",
        {"as_of": as_of},
    ).fetchnumpy()


def churn(people, as_of):
    return float(population(people, as_of)["churned"].mean())


def test_churn_when_seasons_are_compared_then_autumn_is_far_below_january(people):
    levels = {as_of: churn(people, as_of) for as_of in SEASONS}
    autumn = [level for as_of, level in levels.items() if as_of.month == 10]
    january = [level for as_of, level in levels.items() if as_of.month == 1]
    assert min(january) - max(autumn) > 0.15
    assert np.mean(list(levels.values())) - max(autumn) > 0.1
    assert 0.3 < np.mean(list(levels.values())) < 0.6


@pytest.mark.parametrize("month", [1, 4, 7, 10])
def test_churn_when_the_same_season_returns_then_the_same_level(people, month):
    first, second = (churn(people, as_of) for as_of in sorted(SEASONS) if as_of.month == month)
    assert abs(first - second) < 0.04


def test_churn_when_ranked_by_logistic_regression_then_neither_trivial_nor_hopeless(people):
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    def features(rows):
        return np.log1p(np.column_stack([rows["recency"], rows["frequency"]]).astype(float))

    past, future = population(people, date(2025, 4, 1)), population(people, date(2026, 4, 1))
    model = LogisticRegression().fit(features(past), past["churned"])
    auc = roc_auc_score(future["churned"], model.predict_proba(features(future))[:, 1])
    assert 0.72 < auc < 0.86
    assert roc_auc_score(future["churned"], future["probability"]) > auc + 0.05


@pytest.mark.parametrize("as_of", SEASONS)
def test_true_churn_probability_when_compared_with_what_happens_then_calibrated(people, as_of):
    rows = population(people, as_of)
    error = rows["probability"].mean() - rows["churned"].mean()
    # Four standard errors, and what complaints and campaigns yet to come move.
    assert abs(error) < 4 * np.sqrt(0.25 / rows["churned"].size) * 0.8 + 0.01


def test_orders_when_december_comes_then_several_times_january(people):
    per_day = dict(
        people.execute(
            """SELECT month(order_ts), count(*) / count(DISTINCT order_ts::DATE) FROM orders
            WHERE NOT is_return AND order_ts >= '2024-01-01' AND order_ts < '2026-01-01' GROUP BY 1"""
        ).fetchall()
    )
    assert per_day[12] > 3 * per_day[1]
    assert per_day[11] > 1.5 * per_day[9]


def test_season_when_averaged_over_a_year_then_one_and_the_same_next_year():
    calendar = RetailCalendar.build(date(2025, 1, 1), 730, 1.2)
    assert calendar.season[:, :365].mean(axis=1) == pytest.approx([1, 1], abs=0.02)
    quarters = calendar.season[REGULAR].reshape(2, 365)[:, :364].reshape(2, 4, 91).mean(axis=2)
    assert quarters[0] == pytest.approx(quarters[1], rel=0.02)
    assert quarters[0, 3] > 1.5 * quarters[0, 0]
    flat = RetailCalendar.build(date(2025, 1, 1), 364, 0.0)
    assert flat.season.reshape(2, 52, 7).mean(axis=2) == pytest.approx(np.ones((2, 52)))


def test_season_when_the_year_has_a_leap_day_then_christmas_stays_in_place():
    leap = RetailCalendar.build(date(2024, 1, 1), 366, 1.0)
    christmas = (date(2024, 12, 25) - date(2024, 1, 1)).days
    assert int(np.argmin(leap.season[REGULAR])) == christmas


def state(size, **values):
    calm = HiddenState(
        purchase_rate=np.full(size, 8 / DAYS_PER_YEAR),
        dropout_rate=np.full(size, 1 / DAYS_PER_YEAR),
        season_kind=np.zeros(size, dtype=np.int64),
        grievance=np.zeros(size),
        purchase_lift=np.ones(size),
        dropout_lift=np.ones(size),
        lifted_until=np.full(size, -1),
    )
    return replace(calm, **values)


def silence(hidden, season, days, kappa=0.0, decay=1.0):
    start = np.zeros(hidden.purchase_rate.size, dtype=np.int64)
    return no_purchase_probability(
        hidden, season, first_day=start, days=days, grievance_hazard=kappa, grievance_decay=decay
    )


@pytest.mark.parametrize(("purchases", "dropouts"), [(2, 0.3), (8, 1.0), (20, 3.0)])
def test_silence_when_rates_are_constant_then_the_pareto_nbd_closed_form(purchases, dropouts):
    """Two competing exponentials: mu / (lambda + mu) + lambda / (lambda + mu) exp(-(lambda + mu) T)."""
    rate, hazard, days = purchases / DAYS_PER_YEAR, dropouts / DAYS_PER_YEAR, 90
    closed = hazard / (rate + hazard) + rate / (rate + hazard) * np.exp(-(rate + hazard) * days)
    hidden = state(1, purchase_rate=np.array([rate]), dropout_rate=np.array([hazard]))
    assert silence(hidden, np.ones((1, days)), days)[0] == pytest.approx(closed, abs=0.03 * rate * days / 2)


def test_silence_when_lifts_and_grievances_act_then_a_monte_carlo_agrees():
    days, kappa, decay, runs = 40, 6.0, 0.97, 40_000
    season = np.linspace(0.5, 2.0, days)[None, :]
    hidden = state(
        1,
        grievance=np.array([1.5]),
        purchase_lift=np.array([2.0]),
        dropout_lift=np.array([0.5]),
        lifted_until=np.array([13]),
    )
    rng = np.random.default_rng(5)
    alive, silent = np.ones(runs, dtype=bool), np.ones(runs, dtype=bool)
    for day in range(days):
        lift, drop = (2.0, 0.5) if day <= 13 else (1.0, 1.0)
        buys = rng.random(runs) < 1 - np.exp(-8 / DAYS_PER_YEAR * season[0, day] * lift)
        silent &= ~(alive & buys)
        alive &= rng.random(runs) >= 1 - np.exp(-drop / DAYS_PER_YEAR * (1 + kappa * 1.5 * decay**day))
    expected = silent.mean()
    assert silence(hidden, season, days, kappa, decay)[0] == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(runs))


def test_order_counts_when_nobody_leaves_and_no_season_then_negative_binomial(tmp_path):
    from scipy.stats import nbinom

    parameters = SimulatorParameters(
        customers=4_000,
        history_days=364,
        nights=0,
        lifetime_years=50.0,
        dropout_shape=20.0,
        christmas_strength=0.0,
        purchases_per_year=3.0,
        purchase_shape=0.8,
        complaint_rate=0.0,
        campaign_reach_per_day=0.0,
        loyalty_joins_per_year=0.0,
        staff_share=0.0,
        bot_share=0.0,
    )
    people = load(simulate(parameters, tmp_path / "landing", tmp_path / "truth"))
    counts = people.execute(
        """SELECT count(o.order_id) AS n FROM customers c JOIN truth_customers t USING (customer_id)
        LEFT JOIN orders o ON o.customer_id = c.customer_id AND NOT o.is_return
        WHERE registered_on < $first AND dropped_out_on IS NULL GROUP BY c.customer_id""",
        {"first": parameters.first_day},
    ).fetchnumpy()["n"]
    people.close()
    law = nbinom(0.8, 0.8 / (0.8 + 3.0 * 364 / DAYS_PER_YEAR))
    for most in range(8):
        share = law.cdf(most)
        assert (counts <= most).mean() == pytest.approx(share, abs=4 * np.sqrt(share * (1 - share) / counts.size))


def test_campaign_arms_when_compared_then_a_fair_coin_of_the_declared_share(people):
    rows = people.execute(
        """SELECT arm = 'holdout' AS held_out, t.purchases_per_year AS rate, t.dropped_out_on
                < k.contact_ts::DATE AS gone, t.segment = 'persuadable' AS persuadable
        FROM campaign_contacts k JOIN truth_customers t USING (customer_id) ORDER BY contact_id"""
    ).fetchnumpy()
    held_out, size = rows["held_out"], rows["held_out"].size
    assert held_out.mean() == pytest.approx(LONG.holdout_share, abs=4 * np.sqrt(0.2 * 0.8 / size))
    for name in ("rate", "persuadable"):
        values = np.asarray(rows[name], dtype=float)
        spread = values.std() * np.sqrt(1 / held_out.sum() + 1 / (~held_out).sum())
        assert abs(values[held_out].mean() - values[~held_out].mean()) < 4 * spread


def test_uplift_when_arms_respond_then_the_difference_that_the_truth_says(people):
    treated, held_out, truth = people.execute(
        """SELECT count(*) FILTER (arm = 'treatment'), count(*) FILTER (arm = 'holdout'),
            avg(probability_if_treated - probability_if_held_out)
        FROM campaign_contacts JOIN truth_campaign_contacts USING (contact_id)"""
    ).fetchall()[0]
    responses = dict(people.execute("SELECT arm, avg(response::INT) FROM campaign_contacts GROUP BY 1").fetchall())
    share = (treated * responses["treatment"] + held_out * responses["holdout"]) / (treated + held_out)
    error = np.sqrt(share * (1 - share) * (1 / treated + 1 / held_out))
    difference = responses["treatment"] - responses["holdout"]
    assert difference == pytest.approx(truth, abs=3 * error)
    assert difference > 3 * error


def test_uplift_when_split_by_segment_then_persuadables_gain_and_sleeping_dogs_lose(people):
    uplift = dict(people.execute("SELECT segment, avg(true_uplift) FROM truth_customers GROUP BY 1").fetchall())
    assert uplift["persuadable"] > 0.1
    assert uplift["sleeping_dog"] < -0.02
    assert uplift["lost_cause"] == 0
    assert 0 < uplift["sure_thing"] < uplift["persuadable"] / 3


def test_contacts_when_a_customer_is_contacted_again_then_after_the_gap(people):
    shortest = people.execute(
        """SELECT min(gap) FROM (SELECT contact_ts::DATE - lag(contact_ts::DATE) OVER (
            PARTITION BY customer_id ORDER BY contact_ts) AS gap FROM campaign_contacts)"""
    ).fetchall()
    assert shortest[0][0] >= LONG.campaign_gap_days


def test_dropout_when_a_complaint_was_left_unresolved_then_more_leave_within_two_months(people):
    leaving = dict(
        people.execute(
            """SELECT topic <> 'question' AND NOT is_resolved, avg((dropped_out_on < contact_ts::DATE + 60)::INT)
            FROM (SELECT * REPLACE (coalesce(dropped_out_on, DATE '2100-01-01') AS dropped_out_on)
                FROM service_contacts JOIN truth_customers USING (customer_id))
            WHERE dropped_out_on >= contact_ts::DATE AND contact_ts < $end GROUP BY 1""",
            {"end": LONG.first_night - timedelta(days=60)},
        ).fetchall()
    )
    assert leaving[True] > 2 * leaving[False]


def test_products_when_ranked_then_a_few_sell_most_and_order_values_are_skewed(people):
    top_tenth, median, mean = people.execute(
        """SELECT (SELECT sum(n) FILTER (r <= 120) / sum(n) FROM (SELECT count(*) AS n,
                row_number() OVER (ORDER BY count(*) DESC) AS r FROM order_lines GROUP BY product_id)),
            median(total_order_amount), avg(total_order_amount) FROM orders WHERE NOT is_return"""
    ).fetchall()[0]
    assert 0.25 < top_tenth < 0.75
    assert mean > 1.2 * float(median)
