"""The two template homes of the corpus: a retailer after its history and several good nights, the next one at hand.

`lines` delivers order lines as CSV in the form of Online Retail II; `tables` delivers the simulator's six Parquet
tables. Both are the same simulated retailer. Its days lie in the past of any clock, because `athena load` refuses a
night that is not over yet.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tests.faults.corpus.fault import Form, Scene

CUSTOMERS = 5_000
FIRST_NIGHT = date(2024, 10, 14)
GOOD_NIGHTS = 8
TONIGHT = FIRST_NIGHT + timedelta(days=GOOD_NIGHTS)
"""A Tuesday; no month ends between the first night and this one, so that every night has the same champion."""
TOMORROW = TONIGHT + timedelta(days=1)

Run = Callable[..., Any]
Published = dict[str, str]
"""SHA-256 of every file among the published ones, by name."""


def simulate_retailer(folder: Path) -> None:
    """What the retailer delivers in both forms: `lines/` and `tables/`, each `history/` and `<night>/`."""
    from athena_assets.sources.simulator.parameters import SimulatorParameters
    from athena_assets.sources.simulator.retailer import simulate

    nights = (TOMORROW - FIRST_NIGHT).days + 1
    parameters = SimulatorParameters(customers=CUSTOMERS, nights=nights, first_night=FIRST_NIGHT)
    simulate(parameters, folder / "simulated", folder / "truth")
    for delivered in sorted((folder / "simulated").iterdir()):
        name = delivered.name.removeprefix("night=")
        shutil.copytree(delivered, folder / "tables" / name)
        (folder / "lines" / name).mkdir(parents=True)
        with duckdb.connect() as connection:
            connection.execute(f"""
                COPY (
                    SELECT CASE WHEN is_return THEN 'C' ELSE '' END || order_id[3:] AS Invoice,
                        product_id[3:] AS StockCode, description AS Description, quantity AS Quantity,
                        order_ts AS InvoiceDate, unit_price AS Price, customer_id[3:] AS "Customer ID",
                        country AS Country
                    FROM read_parquet('{delivered}/order_lines.parquet')
                    ORDER BY order_ts, order_id, product_id, quantity, unit_price
                ) TO '{folder}/lines/{name}/order_lines.csv' (HEADER)
            """)
    shutil.rmtree(folder / "simulated")
    shutil.rmtree(folder / "truth")


def make_template(folder: Path, form: Form, retailer: Path, run: Run) -> None:
    """`folder/shop`, the template, and `folder/clean.json`: what two clean nights after it publish."""
    shop = folder / "shop"
    shutil.copytree(retailer / form, shop / "delivered")
    make_home(shop, form, run)
    scene = Scene(shop, copied(shop, folder / "clean"), str(TONIGHT), run)
    clean = {}
    for night in map(str, (TONIGHT, TOMORROW)):
        _done(scene.athena("load", "--night", night, scene.delivered(night)))
        _done(scene.athena("night", night))
        clean[night] = published(scene.home)
    shutil.rmtree(scene.folder)
    (folder / "clean.json").write_text(json.dumps(clean))


def make_home(folder: Path, form: Form, run: Run) -> None:
    """A home in `folder/.athena` after the history, a champion and the good nights of `folder/delivered/`."""
    home, delivered = folder / ".athena", folder / "delivered"
    source = "online_retail_ii" if form == "lines" else "simulator"
    _done(run(home, "load", "--source", source, "--first-night", FIRST_NIGHT, delivered / "history"))
    land_history(home)
    _done(run(home, "train", "churn"))
    for day in (FIRST_NIGHT + timedelta(days=offset) for offset in range(GOOD_NIGHTS)):
        _done(run(home, "load", "--night", day, delivered / str(day)))
        _done(run(home, "night", day))


def land_history(home: Path) -> None:
    """The first part of `athena run`, which for the simulator would simulate a retailer of its own."""
    from athena_cli.evening import land_history
    from athena_cli.workplace import here

    with pytest.MonkeyPatch.context() as patch:
        for name in ("ATHENA_HOME", "DAGSTER_HOME", "ATHENA_DAGSTER_STORAGE"):
            patch.setenv(name, str(home))
        assert land_history(here())


def _done(answer: Any) -> None:
    assert answer.code == 0, answer.err


def copied(template: Path, folder: Path) -> Path:
    """A copy of a template that shares nothing with it: manifests name the copied files."""
    shutil.copytree(template, folder)
    for manifest in (folder / ".athena" / "landing" / "deliveries").glob("*.json"):
        manifest.write_text(manifest.read_text().replace(f"{template}{os.sep}", f"{folder}{os.sep}"))
    return folder


def published(home: Path) -> Published:
    """What the retention team can read, and what lies among it under names that nobody reads."""
    folder = home / "published" / "predictions"
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
