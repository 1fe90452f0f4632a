"""Orders that the simulator delivers again, corrected: what they change, and that everything after them counts once."""

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import duckdb
import pytest

from athena_assets.features.evaluate import evaluate_active
from athena_assets.nights import Night
from athena_assets.orders.statements import Scope
from athena_assets.sources.simulator import population
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.retailer import SimulatedRetailer, simulate
from athena_assets.sources.source import source_named
from tests.unit.cleaning_warehouse import clean_into, create_tables
from tests.unit.feature_oracle import active, as_seen, differences, expected
from tests.unit.feature_rows import Order, Retailer
from tests.unit.feature_warehouse import feature_set
from tests.unit.test_feature_carrying import NOTHING_WRITTEN, night_by_night

SHOP = {
    "customers": 400,
    "history_days": 150,
    "nights": 6,
    "first_night": date(2026, 3, 1),
    "purchases_per_year": 120.0,
}
OFTEN = {"correction_share": 0.05}


def simulated(folder: Path, *, workers: int = 1, **parameters: object) -> SimulatedRetailer:
    return simulate(SimulatorParameters(**(SHOP | parameters)), folder / "landing", folder / "truth", workers=workers)


def digests(folder: Path) -> dict[str, str]:
    files = sorted(folder.rglob("*.parquet"))
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Orders and lines of the same retailer, `plain_*` without and `told_*` with corrections."""
    with duckdb.connect() as connection:
        for name, share in (("plain", 0.0), ("told", OFTEN["correction_share"])):
            retailer = simulated(tmp_path_factory.mktemp(name), correction_share=share)
            for table in ("orders", "order_lines"):
                files = [str(path) for delivery in retailer.deliveries for path in delivery.tables[table].paths]
                connection.execute(
                    f"CREATE TABLE {name}_{table} AS SELECT *, CAST(known_at AS DATE) - 1 AS night"
                    f" FROM read_parquet({files}, hive_partitioning = false)"
                )
        versions = "SELECT *, dense_rank() OVER (PARTITION BY order_id ORDER BY known_at) AS version FROM told_"
        for table in ("orders", "order_lines"):
            connection.execute(f"CREATE VIEW versions_{table} AS {versions}{table}")
        yield connection


def test_rows_when_corrections_are_delivered_too_then_all_others_stay_as_they_are(
    pair: duckdb.DuckDBPyConnection,
) -> None:
    for table in ("orders", "order_lines"):
        told = f"SELECT * EXCLUDE (version) FROM versions_{table} WHERE version = 1"
        for one, other in ((told, f"FROM plain_{table}"), (f"FROM plain_{table}", told)):
            assert pair.execute(f"({one}) EXCEPT ALL ({other})").fetchall() == []


def test_corrections_when_delivered_then_a_declared_share_comes_one_to_ten_nights_later(
    pair: duckdb.DuckDBPyConnection,
) -> None:
    ((orders, corrected, most),) = pair.execute(
        "SELECT count(*) FILTER (WHERE version = 1), count(*) FILTER (WHERE version = 2), max(version)"
        " FROM versions_orders"
    ).fetchall()
    assert orders > 1_000
    assert most == 2
    assert 0.035 < corrected / orders < 0.06
    nights = pair.execute(
        "SELECT DISTINCT later.night - first.night AS nights FROM versions_orders AS first"
        " JOIN versions_orders AS later USING (order_id) WHERE first.version = 1 AND later.version = 2 ORDER BY nights"
    ).fetchall()
    assert nights == [(number,) for number in range(1, 11)]
    ((nightly,),) = pair.execute(
        "SELECT count(DISTINCT night) FROM versions_orders WHERE version = 2 AND night >= $first",
        {"first": SHOP["first_night"]},
    ).fetchall()
    assert nightly == SHOP["nights"]


def test_correction_when_compared_with_its_original_then_one_line_differs_and_its_header_adds_up(
    pair: duckdb.DuckDBPyConnection,
) -> None:
    kinds = dict(
        pair.execute(
            """SELECT CASE WHEN later.order_id IS NULL THEN 'cancelled' WHEN later.quantity <> first.quantity THEN
                'quantity' WHEN later.unit_price <> first.unit_price THEN 'price' END AS kind, count(*)
            FROM (SELECT * FROM versions_order_lines WHERE version = 1
                AND order_id IN (SELECT order_id FROM versions_orders WHERE version = 2)) AS first
            FULL JOIN (SELECT * FROM versions_order_lines WHERE version = 2) AS later USING (order_id, product_id)
            GROUP BY kind"""
        ).fetchall()
    )
    unchanged = kinds.pop(None)
    ((corrected,),) = pair.execute("SELECT count(*) FROM versions_orders WHERE version = 2").fetchall()
    assert kinds.keys() == {"cancelled", "quantity", "price"}
    assert sum(kinds.values()) == corrected < unchanged
    assert min(kinds.values()) > corrected / 10
    wrong = pair.execute(
        """SELECT order_id FROM versions_orders AS header JOIN (SELECT order_id, version, known_at, order_ts,
            sum(quantity * unit_price) AS total, bool_and(quantity <> 0 AND unit_price > 0) AS is_whole,
            bool_and((quantity < 0) = is_return) AS is_signed FROM versions_order_lines GROUP BY ALL)
            AS line USING (order_id, version)
        WHERE header.total_order_amount <> total OR NOT is_whole OR NOT is_signed
            OR header.known_at <> line.known_at OR header.order_ts <> line.order_ts"""
    ).fetchall()
    assert wrong == []


def test_files_when_corrections_are_shared_by_processes_then_the_bytes_of_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(population, "BLOCK_CUSTOMERS", 100)
    simulated(tmp_path / "alone", **OFTEN)
    simulated(tmp_path / "shared", workers=3, **OFTEN)
    assert digests(tmp_path / "shared") == digests(tmp_path / "alone")


def test_earlier_deliveries_when_more_nights_follow_then_their_corrections_stay(tmp_path: Path) -> None:
    simulated(tmp_path / "few", nights=2, **OFTEN)
    simulated(tmp_path / "more", nights=9, **OFTEN)
    few, more = digests(tmp_path / "few" / "landing"), digests(tmp_path / "more" / "landing")
    assert few.items() <= more.items()


def test_truth_when_orders_are_corrected_then_it_is_the_same(tmp_path: Path) -> None:
    for name, share in (("plain", 0.0), ("told", 0.05)):
        simulated(tmp_path / name, correction_share=share)
    assert digests(tmp_path / "plain" / "truth") == digests(tmp_path / "told" / "truth")


def test_corrections_when_nights_deliver_no_orders_then_they_come_with_the_first_night_after(tmp_path: Path) -> None:
    outage = {"outage_from": date(2026, 3, 2), "outage_nights": 2}
    retailer = simulated(tmp_path, correction_share=0.5, **outage)
    rows = {delivery.last_day: delivery.tables["orders"].rows for delivery in retailer.deliveries[1:]}
    assert [day.day for day, count in rows.items() if count == 0] == [2, 3]
    assert rows[date(2026, 3, 4)] > rows[date(2026, 3, 1)]


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """What the simulator delivers with corrections, cleaned, and the views that features read."""
    source = source_named("simulator")
    retailer = simulated(tmp_path_factory.mktemp("cleaned"), **OFTEN)
    with duckdb.connect(config={"threads": 2}) as connection:
        create_tables(connection)
        for delivery in retailer.deliveries:
            bulk = delivery.kind == "bulk"
            for table, delivered in delivery.tables.items():
                connection.execute(
                    f"INSERT INTO raw.{table}{'_history' if bulk else ''} BY NAME SELECT '{delivery.last_day}' AS"
                    " delivery_id, file_row_number + 1 AS source_row, greatest(CAST(known_at AS DATE) - 1,"
                    f" DATE '{delivery.first_day}') AS night, * EXCLUDE (file_row_number)"
                    f" FROM read_parquet('{delivered.paths[0]}', file_row_number = true, hive_partitioning = false)"
                )
            clean_into(connection, source, Scope.history() if bulk else Scope(delivery.last_day))
        for table in ("orders", "customers", "service_contacts", "campaign_contacts"):
            connection.execute(
                f"CREATE VIEW orders.all_{table} AS FROM orders.{table}_history UNION ALL BY NAME FROM orders.{table}"
            )
        yield connection


def test_clean_orders_when_the_simulator_corrects_then_every_version_is_kept_and_flagged(
    cleaned: duckdb.DuckDBPyConnection, pair: duckdb.DuckDBPyConnection
) -> None:
    found = cleaned.execute(
        "SELECT order_id, night, is_correction FROM orders.all_orders ORDER BY order_id, night"
    ).fetchall()
    wanted = pair.execute(
        "SELECT order_id, night, version > 1 FROM versions_orders ORDER BY order_id, night"
    ).fetchall()
    assert found == wanted
    for suffix in ("", "_history"):
        codes = (
            f"SELECT DISTINCT reason_code FROM orders.quarantine{suffix} WHERE table_name IN ('orders', 'order_lines')"
        )
        assert cleaned.execute(codes).fetchall() == []


def test_features_when_the_simulator_corrects_then_nights_carried_and_scanned_are_the_naive_oracles(
    cleaned: duckdb.DuckDBPyConnection,
) -> None:
    features = feature_set(corrects=True).select(
        ["avg_order_value_90d", "last_order_value", "max_order_value_365d", "orders_total", "returned_value_365d",
         "spend_30d", "spend_365d"]
    )  # fmt: skip
    first = Night(SHOP["first_night"])
    nights = tuple(first.plus(number) for number in range(SHOP["nights"]))
    night_by_night(cleaned, features, nights, NOTHING_WRITTEN)
    columns = "order_id, customer_id, order_ts, known_at, total_order_amount, item_count, is_return, channel"
    rows = cleaned.sql(f"SELECT {columns} FROM orders.all_orders").to_arrow_table().to_pylist()
    retailer = Retailer(orders=[Order(**row) for row in rows], corrects=True)
    for night in (nights[0], nights[-1]):
        seen = as_seen(retailer, {order.customer_id for order in retailer.orders}, night.as_of, night.cutoff)
        found = evaluate_active(cleaned, features, as_of=night.as_of, cutoff=night.cutoff).to_pylist()
        assert [row["customer_id"] for row in found] == active(seen)
        for row in found:
            wanted = expected(seen[row["customer_id"]])
            assert differences(row, {name: wanted[name] for name in features.columns}) == []
