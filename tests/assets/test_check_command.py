"""`athena check`: what stands in the warehouse is judged again, all of it, also where some of it fails."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from tests.conftest import Command, Shop

NIGHT = "2011-10-28"


def test_check_when_the_first_outdated_table_fails_then_the_others_are_judged_all_the_same(
    athena: Command, retail_shop: Shop
) -> None:
    with duckdb.connect(str(retail_shop.home / "warehouse.duckdb")) as connection:
        connection.execute("UPDATE orders.orders SET customer_id = NULL")
        connection.execute("DELETE FROM gate.verdict WHERE asset IN ('orders.orders', 'predictions.churn')")
    answer = athena(retail_shop.home, "check", "--outdated", "--json")
    assert answer.code == 1
    assert "orders.orders, completeness" in answer.err
    assert f"next:     athena why orders.orders {NIGHT}" in answer.err
    assert not (retail_shop.home / "warehouse.duckdb.wal").exists()
    told = json.loads(answer.out)
    assert told["checked"] == [f"orders.orders {NIGHT}", f"predictions.churn {NIGHT}"]
    assert told["failed"] == [f"orders.orders {NIGHT}"]
    found = retail_shop.rows("SELECT asset, bool_and(passed) FROM gate.verdict GROUP BY asset")
    assert ("orders.orders", False) in found
    assert ("predictions.churn", True) in found
    assert athena(retail_shop.home, "check", "--outdated").out == "every verdict is up to date\n"
