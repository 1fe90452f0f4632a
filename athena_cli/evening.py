"""`athena run`: a retailer's evening from raw orders to the bill, as far as it has not been done yet."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from athena_assets.errors import InvalidArgument
from athena_assets.nights import Night
from athena_assets.sources.deliveries import snapshot_of
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.source import Source
from athena_cli.nights import run_night
from athena_cli.output import console, doing, errors, print_json
from athena_cli.refusals import refusals_in_full
from athena_cli.simulating import SIMULATOR, land_simulator, landed_by_simulator
from athena_cli.sources import declared_source, register_files
from athena_cli.summary import evening_summary, print_evening
from athena_cli.training import month_before, train_month
from athena_cli.workplace import Workplace, here
from resources.home import home_of, read_home
from resources.settings import Settings, load_settings


def run(
    source: Annotated[str, typer.Option(help="simulator, online_retail_ii, or the name of a mapping.")] = SIMULATOR,
    orders: Annotated[list[Path] | None, typer.Option(help="The retailer's files; none for the simulator.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping YAML that declares a source of your own.")] = None,
    customers: Annotated[
        int | None, typer.Option(help="Simulator: customers by the end of the history; default: the home's, else 5000.")
    ] = None,
    nights: Annotated[
        int | None, typer.Option(help="Simulator: nightly deliveries after the history; default: the home's, else 3.")
    ] = None,
    purchases_per_year: Annotated[
        float | None,
        typer.Option(help="Mean purchases a year of a customer who has not left; default: the home's, else 8."),
    ] = None,
    current: Annotated[
        bool,
        typer.Option("--current", help="Make what is not verified anew with today's model, features and contracts."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Land what was delivered, train a champion, run every delivered night, publish, and add up what it cost."""
    settings = load_settings()
    # A program reads standard output, so what is told on the way goes beside it.
    telling = errors if as_json else console
    if source == SIMULATOR and mapping is None:
        _refuse_files_of_the_simulator(orders or [])
        said = _land_simulator(settings, customers, nights, purchases_per_year)
    else:
        said = _land_files(settings, source, orders or [], mapping)
    for line in said:
        telling.print(line, soft_wrap=True)
    workplace = here()
    worked = land_history(workplace)
    published = published_nights(workplace)
    for night in _delivered_nights(workplace):
        worked |= _train_before(workplace, night)
        if night.key not in published:
            run_night(workplace, night, current=current)
            worked = True
    outdated = workplace.outdated_nights()
    if outdated:
        again = " && ".join(f"athena night {night} --current" for night in outdated)
        telling.print(f"published from deliveries that no longer count; to make it anew: {again}")
    elif not worked:
        telling.print("nothing to do: every delivered night is published")
    summary = evening_summary(workplace)
    if as_json:
        print_json(summary)
    else:
        print_evening(summary)


def land_history(workplace: Workplace) -> bool:
    """Land and clean the bulk history, unless the warehouse has it from this data and today's code.

    Returns whether there was anything to do. The warehouse is asked beside the records, because it may have been lost
    and the records not.
    """
    history = workplace.retailer.history_in(workplace.landing)
    if not history:
        return False
    snapshot = snapshot_of(history)
    landed = {row[0] for row in workplace.ask("SELECT DISTINCT delivery_id FROM orders.accounting_history")}
    tables = ("raw.order_lines_history", "orders.accounting_history")
    if (
        landed >= {delivery.delivery_id for delivery in history}
        and all(workplace.orchestrator.is_current(table, snapshot) for table in tables)
        and all("" in workplace.verified(table) for table in workplace.orchestrator.tables_of("history"))
    ):
        return False
    with doing("landing and cleaning the history"):
        workplace.orchestrator.execute("history")
    return True


def _land_simulator(
    settings: Settings, customers: int | None, nights: int | None, purchases_per_year: float | None
) -> list[str]:
    """Land the simulated retailer that is meant: without a word about it the home's own, as far as it goes."""
    named = {"customers": customers, "nights": nights, "purchases_per_year": purchases_per_year}
    wanted: dict[str, Any] = {name: value for name, value in named.items() if value is not None}
    if not wanted and (landed := landed_by_simulator(settings)):
        return [f"{landed} deliveries of the simulator are landed already"]
    return land_simulator(settings, SimulatorParameters(**wanted))


def _land_files(settings: Settings, source: str, orders: list[Path], mapping: Path | None) -> list[str]:
    declared = declared_source(settings, source, mapping)
    if not orders:
        return _take_home(settings, declared)
    names = ", ".join(path.name for path in orders)
    again = [["athena", "run", "--source", declared.name, *(part for path in orders for part in ("--orders", path))]]
    with doing(f"reading {names}"), refusals_in_full(settings, declared, again):
        delivery, taken, new = register_files(settings, declared, orders, mapping=mapping, known_ok=True)
    rows = sum(file.rows for file in delivery.files)
    said = f"landed {delivery.delivery_id}: {rows:,} rows to {delivery.last_night}"
    if not new:
        said = f"{names} is landed already as {delivery.delivery_id}"
    return [*([taken] if taken else []), said, *delivery.unread_columns]


def _take_home(settings: Settings, declared: Source) -> list[str]:
    """Go on in the home of a source without a new delivery, also where it was parked; raises `InvalidArgument`."""
    with home_of(settings.home, declared.name) as taken:
        if read_home(settings.home) is None:
            raise InvalidArgument(
                f"which files did {declared.name} deliver?",
                expected="ORDERS=path/to/file with make run, or --orders with athena run",
                found="none",
                next_command=f"make run SOURCE={declared.name} ORDERS=path/to/file",
            )
    return [taken] if taken else []


def _delivered_nights(workplace: Workplace) -> list[Night]:
    """Every night from the first to the last delivered one; raises `InvalidArgument` where there is none."""
    first, last = workplace.retailer.first_night, workplace.retailer.last_delivered
    if last is None or last < first:
        raise InvalidArgument(
            "no night has been delivered after the history, so there is nothing to run yet",
            expected=f"a delivery of the night {first.key}",
            found=f"deliveries to {last.key}" if last is not None else "no delivery",
            next_command=f"athena load --night {first.key} FILES, then athena run --source {workplace.source.name}",
        )
    return [first.plus(offset) for offset in range((last.day - first.day).days + 1)]


def _train_before(workplace: Workplace, night: Night) -> bool:
    """See to it that every model is trained on the month that had ended when the night's day began; whether one was."""
    month = month_before(night)
    due = [spec.name for spec in workplace.athena.models if not _is_trained(workplace, spec.name, month)]
    for name in due:
        train_month(workplace, month, model=name)
    return bool(due)


def _is_trained(workplace: Workplace, model: str, month: date) -> bool:
    """Whether a month's training is recorded and stands in the warehouse, which may be lost or older than the gate."""
    table = f"{model}.registered"
    there = {row[0] for row in workplace.ask(f"SELECT DISTINCT CAST(month AS VARCHAR) FROM {table}")}
    return month.isoformat() in there & workplace.stamped(table) & workplace.orchestrator.done_partitions(table)


def published_nights(workplace: Workplace) -> set[str]:
    """Keys of the nights of which every model's predictions are published, stand in the warehouse and are verified."""
    found = []
    for spec in workplace.athena.models:
        table = f"predictions.{spec.name}"
        there = {row[0] for row in workplace.ask(f"SELECT DISTINCT CAST(night AS VARCHAR) FROM {table}")}
        found.append(there & workplace.orchestrator.done_partitions(table) & workplace.verified(table))
    return set.intersection(*found) if found else set()


def _refuse_files_of_the_simulator(orders: list[Path]) -> None:
    if orders:
        raise InvalidArgument(
            "the simulator makes its own orders and reads no file",
            expected="--source with --orders, for instance --source online_retail_ii",
            found=f"--orders {orders[0]}",
            next_command=f"athena run --source online_retail_ii --orders {orders[0]}",
        )
