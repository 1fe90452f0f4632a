"""`athena run`: a retailer's evening from raw orders to the bill, as far as it has not been done yet."""

from pathlib import Path
from typing import Annotated

import typer

from athena_assets.errors import InvalidArgument
from athena_assets.sources.assets import snapshot_of
from athena_assets.sources.errors import AlreadyDelivered
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_cli.nights import run_night
from athena_cli.output import console, doing, print_json
from athena_cli.sources import SIMULATOR, declared_source, land_simulator, register_files
from athena_cli.summary import evening_summary, print_evening
from athena_cli.training import train_month, training_month
from athena_cli.workplace import Workplace, here
from resources.settings import Settings, load_settings


def run(
    source: Annotated[str, typer.Option(help="simulator, online_retail_ii, or the name of a mapping.")] = SIMULATOR,
    orders: Annotated[list[Path] | None, typer.Option(help="The retailer's files; none for the simulator.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping YAML that declares a source of your own.")] = None,
    customers: Annotated[int, typer.Option(help="Simulator: customers by the end of the history.")] = 5_000,
    nights: Annotated[int, typer.Option(help="Simulator: nightly deliveries after the history.")] = 3,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Land what was delivered, train a champion, run every delivered night, publish, and add up what it cost."""
    settings = load_settings()
    for line in _land(settings, source, orders or [], mapping, customers, nights):
        console.print(line, markup=False)
    workplace = here()
    load_history(workplace)
    month = training_month(workplace)
    train_month(workplace, month)
    done = workplace.orchestrator.materialised_partitions("cost.tco")
    for night in delivered_nights(workplace):
        if night.key in done and night != delivered_nights(workplace)[-1]:
            continue
        run_night(workplace, night)
    summary = evening_summary(workplace)
    if as_json:
        print_json(summary)
    else:
        print_evening(summary)
