"""The real file as far as a night's features: nothing here is trained or judged, so no outcome is looked at."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pytest

from athena_cli.workplace import Workplace
from resources.settings import Settings

if TYPE_CHECKING:
    from tests.conftest import Command

FIRST_NIGHT = "2011-05-30"
AFTER = "2011-05-31"


@pytest.fixture(scope="module")
def real(athena: Command, shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Workplace:
    """The history before the night and the night itself, landed, cleaned, opened and turned into features."""
    home = tmp_path_factory.mktemp("real") / ".athena"
    file = shared_data / "retail" / "online_retail_II_to_2011-08-31.parquet"
    load = athena(home, "load", "--source", "online_retail_ii", "--first-night", FIRST_NIGHT, file)
    assert load.code == 0, load.err
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"ATHENA_HOME": home, "DAGSTER_HOME": home, "ATHENA_DAGSTER_STORAGE": home}.items():
            patch.setenv(name, str(value))
        workplace = Workplace(Settings(home=home))
        workplace.orchestrator.execute("history")
        for group in ("sources", "orders", "opening", "features"):
            workplace.orchestrator.execute("night", partition=FIRST_NIGHT, group=group)
    return workplace


def test_night_when_the_file_is_real_then_every_row_and_penny_to_it_is_accounted_for(
    real: Workplace, shared_data: Path
) -> None:
    delivered = duckdb.execute(
        "SELECT count(*), sum(CAST(Quantity * CAST(Price AS DECIMAL(18, 4)) AS DECIMAL(38, 4)))"
        f" FROM '{shared_data}/retail/online_retail_II_to_2011-08-31.parquet' WHERE InvoiceDate < DATE '{AFTER}'"
    ).fetchall()
    accounts = real.ask(
        "SELECT sum(rows_in), sum(amount_in), sum(rows_kept + rows_quarantined), sum(amount_kept + amount_quarantined)"
        " FROM orders.all_accounting"
    )
    assert accounts == [(*delivered[0], *delivered[0])]
    assert accounts[0][1] > Decimal(13_000_000)


def test_night_when_the_file_is_real_then_its_features_are_of_those_who_bought_and_know_nothing_later(
    real: Workplace,
) -> None:
    customers = {name for (name,) in real.ask("SELECT customer_id FROM features.customer_features")}
    bought = real.ask(
        "SELECT DISTINCT customer_id FROM orders.all_orders WHERE customer_id IS NOT NULL AND NOT is_return"
    )
    assert len(customers) > 4_000
    assert customers <= {name for (name,) in bought}
    ((latest,),) = real.ask("SELECT max(order_ts) FROM orders.all_orders")
    assert f"{latest:%Y-%m-%d}" <= FIRST_NIGHT
    assert real.ask(
        "SELECT min(recency_days) >= 1, count(*) - count(orders_total) FROM features.customer_features"
    ) == [(True, 0)]
