"""`athena run`: a retailer's evening from raw orders to the bill, as far as it has not been done yet."""

from pathlib import Path
from typing import Annotated

import typer

from athena_assets.errors import InvalidArgument
from athena_assets.nights import Night
from athena_assets.sources.assets import snapshot_of
from athena_assets.sources.errors import AlreadyDelivered
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_cli.nights import run_night
from athena_cli.output import console, doing, print_json
from athena_cli.sources import SIMULATOR, declared_source, land_simulator, register_files
from athena_cli.summary import evening_summary, print_evening
from athena_cli.training import month_before, train_month
from athena_cli.workplace import Workplace, here
from resources.home import read_home
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
    if source == SIMULATOR and mapping is None:
        said = land_simulator(settings, SimulatorParameters(customers=customers, nights=nights))
    else:
        said = _land_files(settings, source, orders or [], mapping)
    for line in said:
        console.print(line, markup=False, soft_wrap=True)
    workplace = here()
    land_history(workplace)
    for night in _nights(workplace):
        _train_before(workplace, night)
        if not _is_done(workplace, night):
            run_night(workplace, night)
    summary = evening_summary(workplace)
    if as_json:
        print_json(summary)
    else:
        print_evening(summary)


def land_history(workplace: Workplace) -> None:
    """Land and clean the bulk history, unless that has been done with this data and today's code."""
    history = workplace.retailer.history_in(workplace.landing)
    if not history:
        return
    snapshot = snapshot_of(history)
    tables = ("raw.order_lines_history", "orders.accounting_history")
    if all(workplace.orchestrator.is_current(table, snapshot) for table in tables):
        return
    with doing("landing and cleaning the history"):
        workplace.orchestrator.execute("history")


def _land_files(settings: Settings, source: str, orders: list[Path], mapping: Path | None) -> list[str]:
    declared = declared_source(settings, source, mapping)
    if not orders:
        record = read_home(settings.home)
        if record is not None and record.source == declared.name:
            return []
        raise InvalidArgument(
            f"which files did {declared.name} deliver?",
            expected="ORDERS=path/to/file with make run, or --orders with athena run",
            found="none",
            next_command=f"make run SOURCE={declared.name} ORDERS=path/to/file",
        )
    try:
        with doing(f"reading {', '.join(path.name for path in orders)}"):
            delivery, taken = register_files(settings, declared, orders, mapping=mapping)
    except AlreadyDelivered as error:
        return [f"{', '.join(path.name for path in orders)} is landed already as {error.delivery_id}"]
    rows = sum(file.rows for file in delivery.files)
    return [*([taken] if taken else []), f"landed {delivery.delivery_id}: {rows:,} rows to {delivery.last_night}"]


def _nights(workplace: Workplace) -> list[Night]:
    retailer = workplace.retailer
    last = retailer.last_delivered or retailer.first_night.plus(-1)
    return [retailer.first_night.plus(offset) for offset in range((last.day - retailer.first_night.day).days + 1)]


def _train_before(workplace: Workplace, night: Night) -> None:
    """See to it that every model has been trained on the month that had ended when the night's day began."""
    month = month_before(night)
    for spec in workplace.athena.models:
        if month.isoformat() not in workplace.orchestrator.done_partitions(f"{spec.name}.registered"):
            train_month(workplace, month, model=spec.name)


def _is_done(workplace: Workplace, night: Night) -> bool:
    """Whether every model has been published for the night."""
    return all(
        night.key in workplace.orchestrator.done_partitions(f"predictions.{spec.name}")
        for spec in workplace.athena.models
    )
