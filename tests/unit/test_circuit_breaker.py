"""The circuit breaker on features and candidates: nulls, the population, constant and jumped predictions."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta

import duckdb
import pytest

from athena_assets.features.feature_contract import feature_contract
from athena_assets.features.feature_set import load_feature_set
from athena_assets.lifecycle.model_spec import find_model
from athena_assets.predictions.prediction_contract import candidate_contract
from checks.contract import Contract
from checks.evaluation import check_table
from checks.verdicts import Evaluation, ensure_gate, save, stamp

TABLES = ("orders", "service_contacts", "campaign_contacts", "customers")
FEATURES = feature_contract(load_feature_set(TABLES, business_country="UK"))
CANDIDATE = candidate_contract(find_model("churn"))
FIRST = date(2026, 1, 1)
TONIGHT = FIRST + timedelta(days=9)
CUSTOMERS = 1_000


def fill(connection: duckdb.DuckDBPyConnection, night: date, customers: int = CUSTOMERS) -> None:
    """A night of both tables whose values break no rule."""
    values = []
    for column in FEATURES.columns[3:]:
        plain = "true" if column.type == "BOOLEAN" else str(column.minimum or 0)
        values.append(f'CAST({plain} AS {column.type}) AS "{column.name}"')
    keys = "$night AS night, 'C-' || range AS customer_id, CAST($night AS TIMESTAMP) + INTERVAL 1 DAY AS as_of"
    given = {"night": night, "customers": customers}
    connection.execute(
        f"INSERT INTO {FEATURES.address} BY NAME SELECT {keys}, {', '.join(values)} FROM range($customers)", given
    )
    connection.execute(
        f"INSERT INTO {CANDIDATE.address} BY NAME SELECT {keys}, (range % 100) / 100 AS churn_probability,"
        " 'low' AS risk_tier, 1 AS expected_value_at_risk, 'v' AS model_version, 'f' AS feature_set_version"
        " FROM range($customers)",
        given,
    )


def judge(connection: duckdb.DuckDBPyConnection, contract: Contract, night: date = TONIGHT) -> dict[str, str]:
    """Failed rules and their severity; the figures become history."""
    result = check_table(connection, contract, partition=night.isoformat(), minimum_rows=1)
    stamp(connection, contract, night.isoformat(), "run")
    save(
        connection,
        asset=contract.address,
        partition=night.isoformat(),
        contract_version=contract.version,
        verdicts=(),
        evaluations=[Evaluation.of(each) for each in result.results],
        run_id="run",
        at=datetime(2026, 2, 1),
    )
    return {each.rule.id: each.rule.severity for each in result.results if not each.passed}


@pytest.fixture(scope="module")
def template() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        ensure_gate(connection)
        for contract in (FEATURES, CANDIDATE):
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {contract.schema}")
            connection.execute(contract.ddl())
        for day in range(9):
            fill(connection, FIRST + timedelta(days=day))
            for contract in (FEATURES, CANDIDATE):
                assert judge(connection, contract, FIRST + timedelta(days=day)) == {}
        yield connection


@pytest.fixture
def home(template: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    template.execute("BEGIN")
    yield template
    template.execute("ROLLBACK")


@pytest.mark.parametrize(
    ("feature", "percent", "severities"),
    [
        ("avg_order_value_365d", 1, set()),
        ("avg_order_value_365d", 3, {"WARN"}),
        ("avg_order_value_365d", 6, {"ERROR", "WARN"}),
        ("mean_gap_days", 40, set()),
        ("mean_gap_days", 94, {"ERROR", "WARN"}),
        ("orders_90d", 1, {"ERROR"}),
    ],
)
def test_features_when_nulls_are_more_than_their_limit_then_the_night_stops(
    home: duckdb.DuckDBPyConnection, feature: str, percent: int, severities: set[str]
) -> None:
    fill(home, TONIGHT)
    home.execute(
        f"UPDATE {FEATURES.address} SET {feature} = NULL WHERE night = $night"
        " AND CAST(substr(customer_id, 3) AS INTEGER) % 100 < $percent",
        {"night": TONIGHT, "percent": percent},
    )
    found = judge(home, FEATURES)
    assert set(found.values()) == severities
    assert all(rule.startswith(f"{feature}.") for rule in found)


@pytest.mark.parametrize(("customers", "found"), [(500, {"population.level": "ERROR"}), (950, {}), (1_100, {})])
def test_features_when_the_population_shrinks_beyond_its_history_then_the_night_stops(
    home: duckdb.DuckDBPyConnection, customers: int, found: dict[str, str]
) -> None:
    fill(home, TONIGHT, customers)
    assert judge(home, FEATURES) == found


def test_candidate_when_everybody_has_one_probability_then_the_night_stops(home: duckdb.DuckDBPyConnection) -> None:
    fill(home, TONIGHT)
    home.execute(f"UPDATE {CANDIDATE.address} SET churn_probability = 0.5 WHERE night = $night", {"night": TONIGHT})
    assert judge(home, CANDIDATE)["probability.varies"] == "ERROR"


@pytest.mark.parametrize(("stops", "severity"), [((), "WARN"), (("positive_rate",), "ERROR")])
def test_candidate_when_the_positives_jump_then_it_is_told_and_stops_where_the_model_asks_for_it(
    home: duckdb.DuckDBPyConnection, stops: tuple[str, ...], severity: str
) -> None:
    fill(home, TONIGHT)
    home.execute(
        f"UPDATE {CANDIDATE.address} SET churn_probability = 0.8 WHERE night = $night AND churn_probability > 0.3",
        {"night": TONIGHT},
    )
    spec = find_model("churn")
    asked = spec.model_copy(update={"monitoring": spec.monitoring.model_copy(update={"stop_on": stops})})
    assert judge(home, candidate_contract(asked)) == {"positive_rate": severity}


def test_limits_when_nulls_mean_something_common_then_the_header_says_how_common() -> None:
    limits = {column.name: (column.null_limit, column.null_alert) for column in FEATURES.columns}
    assert [float(each or 0) for each in limits["avg_order_value_365d"]] == [0.05, 0.02]
    assert [float(each or 0) for each in limits["mean_gap_days"]] == [0.7, 0.6]
    assert limits["orders_90d"] == (None, None)
