"""`athena run` as a newcomer types it: a simulated retailer, a champion, a published night, the bill."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow.parquet as pq

from checks.contract_files import load_contract
from checks.ordered import order_proofs

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

TABLES = ("order_lines", "orders", "customers", "products", "service_contacts", "campaign_contacts")


def delivered(shop: Shop, table: str) -> list[Path]:
    """The files of one table, as its manifests name them."""
    manifests = (shop.home / "landing" / "deliveries").glob("*.json")
    files = [file for manifest in manifests for file in json.loads(manifest.read_text())["files"]]
    return [Path(file["path"]) for file in files if file["table"] == table]


def test_run_when_a_newcomer_types_it_then_it_says_what_came_in_was_learned_published_and_costs(
    simulated_evening: Shop,
) -> None:
    said = (simulated_evening.folder / "said.txt").read_text()
    for words in (
        "landed bulk delivery simulator-",
        "Orders of simulator, money in GBP",
        "churn version 1, out of time on",
        "champion",
        "logistic",
        "churn predictions of night 2026-10-29",
        "open and unreconciled",
        "next: make ui",
    ):
        assert words in said
    for table in TABLES:
        rows = sum(pq.read_metadata(path).num_rows for path in delivered(simulated_evening, table))
        assert rows > 0
        (line,) = [line for line in said.splitlines() if line.strip().startswith(f"{table} ")]
        cells = [cell.replace(",", "") for cell in line.split()[1:4]]
        assert int(cells[0]) == rows == int(cells[1]) + int(cells[2])


def test_run_when_done_then_the_money_of_the_account_is_that_of_the_delivered_files(simulated_evening: Shop) -> None:
    paths = [str(path) for path in delivered(simulated_evening, "order_lines")]
    ((money,),) = duckdb.execute(
        "SELECT sum(CAST(quantity AS DECIMAL(18, 0)) * unit_price)"
        " FROM read_parquet($paths, hive_partitioning = false)",
        {"paths": paths},
    ).fetchall()
    for table in ("order_lines", "orders"):
        ((into, accounted),) = simulated_evening.rows(
            "SELECT sum(amount_in), sum(amount_kept + amount_quarantined) FROM orders.all_accounting"
            f" WHERE table_name = '{table}'"
        )
        assert into == accounted == Decimal(money)


def test_run_when_done_then_the_order_of_the_large_tables_proves_their_keys_and_references(
    simulated_evening: Shop,
) -> None:
    """A table written in another order would be counted, with the same verdict, at five times the cost."""
    template = "predictions.classification"
    tables = [
        load_contract("features.customer_features"),
        load_contract(f"{template}_candidate").named("predictions", "churn_candidate"),
        load_contract(template).named("predictions", "churn"),
    ]
    proved = []
    with duckdb.connect(str(simulated_evening.home / "warehouse.duckdb"), read_only=True) as connection:
        for table in tables:
            proofs = order_proofs(connection, table, "night = DATE '2026-10-29'", is_partition=True)
            for rule, proof in proofs.items():
                ((holds,),) = connection.execute(f"SELECT {proof}").fetchall()
                proved.append((table.table, rule, holds))
    assert proved == [
        ("customer_features", "key.unique", True),
        ("churn_candidate", "key.unique", True),
        ("churn_candidate", "customer_id.references", True),
        ("churn", "key.unique", True),
        ("churn", "customer_id.references", True),
    ]


def test_run_when_done_then_nothing_of_the_truth_has_come_into_the_warehouse(simulated_evening: Shop) -> None:
    truth = (simulated_evening.home / "truth").rglob("*.parquet")
    known = {name for path in truth for name in pq.read_schema(path).names}
    hidden = {name for name in known if name in ("dropped_out_on", "grievance", "is_gift_shopper", "dropouts_per_year")}
    assert len(hidden) == 4
    columns = {
        name for (name,) in simulated_evening.rows("SELECT DISTINCT column_name FROM information_schema.columns")
    }
    assert not hidden & columns


def test_run_when_another_night_is_asked_for_then_it_goes_on_and_leaves_what_is_done(
    athena: Command, simulated_shop: Shop, simulated_evening: Shop
) -> None:
    first = simulated_shop.published / "night=2026-10-29" / "part-0.parquet"
    customers = json.loads((simulated_shop.folder / "parameters.json").read_text())["customers"]
    answer = athena(simulated_shop.home, "run", "--customers", customers, "--nights", 2, "--json")
    assert answer.code == 0, answer.err
    summary = json.loads(answer.out)
    assert [(each["model"], each["night"]) for each in summary["published"]] == [("churn", "2026-10-30")]
    assert "landed nightly delivery simulator-" in answer.err
    assert "training" not in answer.err
    assert first.read_bytes() == (simulated_evening.published / "night=2026-10-29" / "part-0.parquet").read_bytes()

    again = athena(simulated_shop.home, "run", "--customers", customers, "--nights", 2)
    assert again.code == 0, again.err
    assert "3 deliveries of the simulator are landed already" in again.out
    assert "nothing to do: every delivered night is published" in again.out
    fewer = athena(simulated_shop.home, "run", "--customers", customers, "--nights", 1)
    assert fewer.code == 0, fewer.err
    assert "nothing to do" in fewer.out


def test_run_when_another_retailer_is_simulated_then_the_difference_is_named(
    athena: Command, simulated_evening: Shop
) -> None:
    before = simulated_evening.files()
    answer = athena(simulated_evening.home, "run", "--customers", 700)
    assert answer.code == 1
    assert "this home holds another simulated retailer" in answer.err
    assert "found:    customers: 700" in answer.err
    assert simulated_evening.files() == before
