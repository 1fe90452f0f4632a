"""The best AUC that anybody could reach on the simulated retailer's churn, beside what the champion reached.

The forecaster here knows the simulator's law, its season and how purchase and dropout rates are spread over the
population; of a customer it sees what the pipeline sees: on which days there was a purchase and a complaint. Rates and
whether the customer is still one stay hidden, and are weighed by Bayes' rule over rates drawn from the population. The
model is that of D. C. Schmittlein, D. G. Morrison and R. Colombo, "Counting your customers", Management Science 1987,
with a season and a hazard that complaints raise. Left out, and small: membership, campaigns, staff and bots.
"""

from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from athena_assets.lifecycle.metrics import Estimate, auc_estimate
from athena_assets.nights import Night
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.season import GIFT_SHOPPER, REGULAR, RetailCalendar
from athena_assets.sources.simulator.state import RESOLVED_GRIEVANCE
from athena_cli.workplace import Workplace
from bench.table import Table

FloatArray = NDArray[np.float64]

CUSTOMERS = 20_000
DRAWS = 1_000


@dataclass(frozen=True)
class Law:
    """What the forecaster knows: rates per day of `DRAWS` customers, and the calendar as sums up to each day."""

    purchase: FloatArray
    dropout: FloatArray
    season: FloatArray
    kinds: tuple[float, float]
    parameters: SimulatorParameters

    def no_purchase(
        self, *, purchases: int, log_season: FloatArray, start: int, last: int, now: int, hazard: FloatArray
    ) -> float:
        """Probability of no purchase on days `now` ... `now + 89`.

        start, last: days of the first and the last purchase that count. log_season: sum over the purchases, (kinds,).
        hazard: what grievance makes of the dropout rate on each day from `start` on.
        """
        horizon = self.parameters.churn_horizon_days
        risk = np.concatenate([[0.0], np.cumsum(hazard)])
        silent = weight = 0.0
        logs = [
            purchases * np.log(self.purchase)
            - self.purchase * (self.season[kind, last + 1] - self.season[kind, start])
            - self.dropout * risk[last + 1 - start]
            + log_season[kind]
            for kind in (REGULAR, GIFT_SHOPPER)
        ]
        most = max(float(log.max()) for log in logs)
        for kind, log in enumerate(logs):
            likelihood = self.kinds[kind] * np.exp(log - most)
            bought = self.season[kind, last + 1 : now + horizon + 1] - self.season[kind, last + 1]
            risked = risk[last + 1 - start : now + horizon + 1 - start] - risk[last + 1 - start]
            unseen = np.exp(-np.outer(self.purchase, bought))
            there = np.exp(-np.outer(self.dropout, risked))
            left = np.cumsum(unseen[:, 1:] * (there[:, :-1] - there[:, 1:]), axis=1)
            seen = now - last - 1
            until_now = unseen[:, seen] * there[:, seen] + (left[:, seen - 1] if seen else 0.0)
            until_then = unseen[:, -1] * there[:, -1] + left[:, -1]
            weight += float(likelihood @ until_now)
            silent += float(likelihood @ until_then)
        return silent / weight


def measure(workplace: Workplace, parameters: SimulatorParameters) -> Table:
    """The forecaster on a sample of the customers that the champion's judged model was held against."""
    (spec,) = workplace.athena.models
    with workplace.warehouse.read() as connection:
        ((as_of,),) = connection.execute(f"SELECT max(as_of) FROM {spec.name}.training_set").fetchall()
        ((judged, low, high),) = connection.execute(
            f"SELECT value, low, high FROM {spec.name}.evaluation WHERE section = 'metric' AND name = 'auc'"
            " QUALIFY month = max(month) OVER ()"
        ).fetchall()
        best = attainable(connection, workplace.settings.truth, parameters, spec.name, as_of)
    rows = [("champion, judged out of time", Estimate(judged, low, high)), ("forecaster who knows the law", best)]
    return Table(
        f"AUC attained and attainable at {as_of:%Y-%m-%d}",
        ("who", "AUC", "95 % interval"),
        tuple((name, f"{each.value:.4f}", f"{each.low:.4f} to {each.high:.4f}") for name, each in rows),
        (f"The forecaster on {CUSTOMERS:,} of the customers, {DRAWS:,} drawn rates each.",),
    )


def attainable(
    connection: duckdb.DuckDBPyConnection, truth: Path, parameters: SimulatorParameters, model: str, as_of: datetime
) -> Estimate:
    """The forecaster's AUC on the customers of the model's training set at `as_of`."""
    first = parameters.first_night - timedelta(days=parameters.history_days)
    now = (as_of.date() - first).days
    calendar = RetailCalendar.build(first, now + parameters.churn_horizon_days, parameters.christmas_strength).season
    law = _law(connection, truth, parameters, calendar)
    customers = _customers(connection, model, as_of, first, calendar[:, :now])
    complaints = _complaints(connection, model, as_of, first)
    decay = 0.5 ** (1.0 / parameters.grievance_half_life_days)
    label, probability = np.empty(len(customers)), np.empty(len(customers))
    for row, (customer, outcome, purchases, start, last, regular, gift) in enumerate(customers):
        hazard = np.ones(now + parameters.churn_horizon_days - start)
        ages = np.arange(len(hazard)) + start
        for day, weight in complaints.get(customer, ()):
            hazard += parameters.grievance_hazard * weight * np.where(ages >= day, decay ** (ages - day), 0.0)
        label[row] = outcome
        probability[row] = law.no_purchase(
            purchases=purchases, log_season=np.array([regular, gift]), start=start, last=last, now=now, hazard=hazard
        )
    return auc_estimate(label, probability)


def _law(
    connection: duckdb.DuckDBPyConnection, truth: Path, parameters: SimulatorParameters, calendar: FloatArray
) -> Law:
    rates = connection.execute(
        f"SELECT purchases_per_year, dropouts_per_year FROM read_parquet('{truth}/*/customers.parquet')"
        " WHERE NOT is_bot AND NOT is_staff ORDER BY md5(customer_id) LIMIT $draws",
        {"draws": DRAWS},
    ).fetchall()
    purchase, dropout = np.array(rates, dtype=np.float64).T / 365.25
    share = parameters.gift_shopper_share
    sums = np.concatenate([np.zeros((2, 1)), np.cumsum(calendar, axis=1)], axis=1)
    return Law(purchase, dropout, sums, (1.0 - share, share), parameters)


def _customers(
    connection: duckdb.DuckDBPyConnection, model: str, as_of: datetime, first: date, calendar: FloatArray
) -> list[tuple[str, int, int, int, int, float, float]]:
    """(customer, label, purchases after the first, day of the first, of the last, log season of them by kind)."""
    season = pa.table(
        {
            "day": pa.array([first + timedelta(days=number) for number in range(calendar.shape[1])], pa.date32()),
            "number": np.arange(calendar.shape[1]),
            "regular": np.log(calendar[REGULAR]),
            "gift": np.log(calendar[GIFT_SHOPPER]),
        }
    )
    connection.register("season", season)
    found: list[tuple[str, int, int, int, int, float, float]] = connection.execute(
        "WITH asked AS ("
        f" SELECT customer_id, label FROM {model}.training_set WHERE as_of = $as_of"
        " ORDER BY md5(customer_id) LIMIT $count"
        "), bought AS ("
        " SELECT customer_id, label, number, regular, gift,"
        " row_number() OVER (PARTITION BY customer_id ORDER BY order_ts, order_id) AS place"
        " FROM asked JOIN orders.all_orders USING (customer_id) JOIN season ON day = CAST(order_ts AS DATE)"
        " WHERE NOT is_return AND order_ts < $as_of AND known_at <= $cutoff)"
        " SELECT customer_id, any_value(label), count(*) - 1, min(number), max(number),"
        " coalesce(sum(regular) FILTER (place > 1), 0), coalesce(sum(gift) FILTER (place > 1), 0)"
        " FROM bought GROUP BY customer_id ORDER BY customer_id",
        {"as_of": as_of, "cutoff": Night.of_as_of(as_of).cutoff, "count": CUSTOMERS},
    ).fetchall()
    connection.unregister("season")
    return found


def _complaints(
    connection: duckdb.DuckDBPyConnection, model: str, as_of: datetime, first: date
) -> dict[str, list[tuple[int, float]]]:
    """By customer, the day and weight of each complaint known at the snapshot."""
    found: dict[str, list[tuple[int, float]]] = defaultdict(list)
    rows = connection.execute(
        "SELECT customer_id, CAST(contact_ts AS DATE) - $first, is_resolved FROM orders.all_service_contacts"
        f" WHERE contact_ts < $as_of AND known_at <= $cutoff AND topic <> 'question'"
        f" AND customer_id IN (SELECT customer_id FROM {model}.training_set)",
        {"as_of": as_of, "cutoff": Night.of_as_of(as_of).cutoff, "first": first},
    ).fetchall()
    for customer, day, resolved in rows:
        found[customer].append((int(day), RESOLVED_GRIEVANCE if resolved else 1.0))
    return found
