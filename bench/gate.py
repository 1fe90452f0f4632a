"""What the gate costs before an asset computes, and what the check pass of a table costs beside a bare scan.

The gate: 200 assets in layers, five blocking checks each, a verdict for every one of 731 nights. Every look opens the
warehouse itself, as the gate does. "Cold" is the first look of a process that has just loaded its definitions.

The check pass: the contract of `orders.order_lines` on one night of many rows, every check with its verdict and history
written, against the one SELECT of the same aggregates.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg  # noqa: TID251  # the graph that the gate walks is Dagster's
import duckdb
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph  # noqa: TID251

from bench.table import Table, milliseconds, ratio, seconds
from bench.timing import Timing, alternate
from checks.blocking import check_spec
from checks.compiler import aggregate_sql, checks_of, compile_rules
from checks.contract_files import load_contract
from checks.evaluation import check_table
from checks.gate import Gate
from checks.needs import GatePlan, reads_up_to
from checks.table_checks import outcomes_of
from checks.verdicts import Verdict, ensure_gate, save, stamp
from resources.warehouse import Warehouse

LAYERS, WIDTH, CHECKS, NIGHTS = 20, 10, 5, 731
FIRST = date(2024, 1, 1)
LAST = FIRST + timedelta(days=NIGHTS - 1)
NOW = datetime(2026, 1, 2, tzinfo=UTC).replace(tzinfo=None)
ROWS = 2_000_000


def measure(rounds: int) -> Iterator[Table]:
    """Both tables."""
    with tempfile.TemporaryDirectory(prefix="athena-bench-") as folder:
        yield _gate(Warehouse(database=str(Path(folder) / "warehouse.duckdb")), rounds)
        yield _check_pass(Path(folder) / "checks.duckdb", rounds)


def _key(layer: int, place: int) -> dg.AssetKey:
    return dg.AssetKey(["bench", f"table_{layer:02d}_{place}"])


def _definitions(*, every_night: bool) -> dg.Definitions:
    """Every asset reads two of the layer above: one night of them, or every night up to it."""
    nights = dg.DailyPartitionsDefinition(FIRST.isoformat(), end_date=(LAST + timedelta(days=1)).isoformat())

    def asset(layer: int, place: int) -> dg.AssetsDefinition:
        parents = [_key(layer - 1, (place + more) % WIDTH) for more in (0, 1)] if layer else []
        key = _key(layer, place)

        @dg.multi_asset(
            name=key.path[-1],
            specs=[dg.AssetSpec(key, deps=[reads_up_to(each) if every_night else each for each in parents])],
            check_specs=[check_spec(f"check_{n}", key, "", nights, rules_hash="1") for n in range(CHECKS)],
            partitions_def=nights,
        )
        def body() -> Iterator[Any]:
            yield from ()

        return body

    return dg.Definitions(assets=[asset(layer, place) for layer in range(LAYERS) for place in range(WIDTH)])


def _fill(warehouse: Warehouse) -> None:
    with warehouse.write() as connection:
        ensure_gate(connection)
        connection.execute(
            f"CREATE TEMP TABLE written AS SELECT format('bench.table_{{:02d}}_{{}}', layer, place) AS asset,"
            f" strftime(DATE '{FIRST}' + CAST(night AS INTEGER), '%Y-%m-%d') AS partition,"
            f" row_number() OVER (ORDER BY night, layer, place) AS id"
            f" FROM range({LAYERS}) l(layer), range({WIDTH}) p(place), range({NIGHTS}) n(night)"
        )
        connection.execute(
            "INSERT INTO gate.materialisation SELECT asset, partition, id, 'run', NULL FROM written ORDER BY id"
        )
        connection.execute(
            "INSERT INTO gate.verdict SELECT asset, partition, format('check_{}', n), id, '1', '1.0.0', true, '',"
            f" 'run', TIMESTAMP '2026-01-01' FROM written, range({CHECKS}) c(n) ORDER BY id, n"
        )


def _gate(warehouse: Warehouse, rounds: int) -> Table:
    _fill(warehouse)
    # One of each layer stands for its neighbours, which read as many ancestors.
    readers = [_key(layer, 0) for layer in range(LAYERS)]
    graphs = {every: _definitions(every_night=every).resolve_asset_graph() for every in (False, True)}
    kept = {every: Gate(warehouse, partial(GatePlan, graph)) for every, graph in graphs.items()}

    def bare() -> None:
        for key in readers:
            with warehouse.read() as connection:
                connection.execute(
                    "SELECT passed FROM gate.verdict WHERE asset = ? AND partition = ? AND check_name = 'check_0'",
                    [".".join(key.path), LAST.isoformat()],
                ).fetchall()

    def looks(every: bool) -> Callable[[], None]:
        def look() -> None:
            for key in readers:
                kept[every].admit([key], [LAST.isoformat()], run_id="bench", at=NOW)

        return look

    timings = alternate({"bare": bare, "night": looks(False), "nights": looks(True)}, rounds)
    per_asset = {name: _per(timing, len(readers)) for name, timing in timings.items()}
    for every, name in ((False, "night, cold"), (True, "nights, cold")):
        per_asset[name] = _cold(warehouse, graphs[every], rounds)
    names = {
        "bare": "open the warehouse, look one verdict up (floor)",
        "night": "the gate, one night of all ancestors",
        "night, cold": "the same, first look of a process, the deepest asset",
        "nights": "the gate, all 731 nights of all ancestors",
        "nights, cold": "the same, first look of a process, the deepest asset",
    }
    rows = (
        (words, milliseconds(per_asset[name]), ratio(per_asset[name], per_asset["bare"]))
        for name, words in names.items()
    )
    notes = (
        f"{LAYERS * WIDTH} assets, {LAYERS * WIDTH * CHECKS:,} rules, {NIGHTS} nights:"
        f" {LAYERS * WIDTH * CHECKS * NIGHTS:,} verdicts. Mean over an asset of each layer,"
        f" median of {rounds} rounds; opening the warehouse is in every figure.",
    )
    return Table("The gate, before an asset computes", ("look", "ms an asset", "to the floor"), tuple(rows), notes)


def _per(timing: Timing, count: int) -> float:
    return timing.median / count


def _cold(warehouse: Warehouse, graph: AssetGraph, rounds: int) -> float:
    found = []
    for _ in range(rounds):
        gate = Gate(warehouse, partial(GatePlan, graph))
        started = time.perf_counter()
        gate.admit([_key(LAYERS - 1, 0)], [LAST.isoformat()], run_id="bench", at=NOW)
        found.append(time.perf_counter() - started)
    return sorted(found)[len(found) // 2]


def _check_pass(path: Path, rounds: int) -> Table:
    contract, night = load_contract("orders.order_lines"), "2026-01-01"
    # Rules that look into other tables cost what those tables hold, with the gate or without.
    own = tuple(rule for rule in contract.rules if "orders." not in rule.expression)
    contract = replace(contract, rules=own)
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET threads = 2")
        _lines(connection, night)
        stamp(connection, contract, night, "run")
        rules = compile_rules(contract)
        text = aggregate_sql(contract.address, [rule.expression for rule in rules], "night = CAST($partition AS DATE)")
        checks = checks_of(contract)

        values = {"partition": night, **({"is_open": True} if "$is_open" in text else {})}

        def bare() -> None:
            connection.execute(text, values).fetchall()

        def judged() -> None:
            connection.begin()
            outcomes = outcomes_of(check_table(connection, contract, partition=night), checks)
            failed = [each.said for each in outcomes if not each.passed]
            if failed:
                raise SystemExit(f"the lines break their contract, so their time means nothing: {failed}")
            save(
                connection,
                asset=contract.address,
                partition=night,
                contract_version=contract.version,
                verdicts=[Verdict(each.check, each.rules_hash, True) for each in outcomes if each.severity == "ERROR"],
                evaluations=[rule for each in outcomes for rule in each.evaluations],
                run_id="run",
                at=NOW,
            )
            connection.commit()

        timings = alternate({"bare": bare, "judged": judged}, rounds)
    floor = timings["bare"]
    names = {
        "bare": "one SELECT with the same aggregates (floor)",
        "judged": f"all {len(checks)} checks, verdicts and history written",
    }
    return Table(
        "The check pass of orders.order_lines",
        ("way", "wall s", "range", "CPU s", "wall / floor"),
        tuple(
            (
                names[name],
                seconds(timing.median),
                timing.spread,
                seconds(timing.median_cpu),
                ratio(timing.median, floor.median),
            )
            for name, timing in timings.items()
        ),
        (f"One night of {ROWS:,} lines, {len(rules)} rules in one scan; median of {rounds}, two threads.",),
    )


def _lines(connection: duckdb.DuckDBPyConnection, night: str) -> None:
    contract = load_contract("orders.order_lines")
    connection.execute("CREATE SCHEMA orders")
    connection.execute(contract.ddl())
    for table, column in (("customers", "customer_id"), ("products", "product_id")):
        connection.execute(
            f"CREATE TABLE orders.all_{table} AS SELECT format('{column[0]}{{}}', n) AS {column} FROM range(50000) r(n)"
        )
    connection.execute(
        f"""INSERT INTO orders.order_lines BY NAME
        SELECT DATE '{night}' AS night, 'delivery' AS delivery_id, n + 1 AS source_row,
            TIMESTAMP '{night}' AS known_at, format('o{{}}', n // 4) AS order_id,
            format('c{{}}', n % 50000) AS customer_id, TIMESTAMP '{night}' + to_seconds(n % 86400) AS order_ts,
            format('p{{}}', (n * 7919) % 50000) AS product_id, quantity, price AS unit_price,
            quantity * price AS line_amount, quantity < 0 AS is_return, true AS is_merchandise, 'shop' AS channel,
            'United Kingdom' AS country
        FROM (SELECT n, CASE WHEN n % 50 = 0 THEN -1 ELSE 1 + n % 9 END AS quantity,
            CAST(1 + (n % 5000) / 100 AS DECIMAL(18, 4)) AS price FROM range({ROWS}) r(n))"""
    )
