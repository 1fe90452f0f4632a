"""`athena simulate`: a simulated retailer and what it delivers, into the landing zone of a home."""

import shutil
from dataclasses import fields
from pathlib import Path
from typing import Annotated

import typer

from athena_assets.atomic import replace_text
from athena_assets.errors import InvalidArgument
from athena_assets.nights import Night
from athena_assets.sources.aliases import source_of_home
from athena_assets.sources.landing import Landing
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_cli.output import console, doing
from athena_cli.sources import described
from resources.home import HomeRecord, home_of, read_home, write_home
from resources.settings import Settings, load_settings

SIMULATOR = "simulator"
PURCHASES_PER_YEAR = SimulatorParameters.purchases_per_year
PurchasesPerYear = Annotated[float, typer.Option(help="Mean purchases a year of a customer who has not left.")]
CorrectionShare = Annotated[
    float, typer.Option(help="Share of the orders that come again some nights later, corrected.")
]


def simulate(
    customers: Annotated[int, typer.Option(help="Customers registered by the end of the history.")] = 5_000,
    nights: Annotated[int, typer.Option(help="Nightly deliveries after the history; a larger number adds nights.")] = 3,
    seed: Annotated[int, typer.Option(help="Same seed, same bytes.")] = 20_261_031,
    history_days: Annotated[int, typer.Option(help="Days of bulk history before the first night.")] = 730,
    purchases_per_year: PurchasesPerYear = PURCHASES_PER_YEAR,
    correction_share: CorrectionShare = SimulatorParameters.correction_share,
) -> None:
    """Simulate a retailer and land what it delivers: a bulk history, then one delivery per night."""
    settings = load_settings()
    parameters = SimulatorParameters(
        customers=customers,
        nights=nights,
        seed=seed,
        history_days=history_days,
        purchases_per_year=purchases_per_year,
        correction_share=correction_share,
    )
    for line in land_simulator(settings, parameters):
        console.print(line, markup=False)


def land_simulator(settings: Settings, parameters: SimulatorParameters) -> list[str]:
    """Simulate and register whatever of it the home does not have yet; returns what was done, in words.

    Raises `InvalidArgument` when the home holds a retailer simulated with other parameters.
    """
    from athena_assets.sources.simulator.retailer import simulate as write_retailer

    landing = Landing.of(settings.home)
    with home_of(settings.home, SIMULATOR) as taken:
        done = [taken] if taken else []
        _refuse_other_parameters(settings, parameters)
        have = {delivery.last_night for delivery in landing.deliveries(SIMULATOR)}
        wanted = {Night(parameters.first_night).plus(offset).day for offset in range(-1, parameters.nights)}
        if wanted <= have:
            return [*done, f"{len(have)} deliveries of the simulator are landed already"]
        # A scratch folder: what a manifest names is never written to or removed again.
        folder, truth = _scratch(settings), settings.truth / f"to-{Night(max(wanted)).key}"
        for leftover in (folder, truth):
            shutil.rmtree(leftover, ignore_errors=True)
        with doing(f"simulating {parameters.customers:,} customers over {parameters.history_days} days"):
            simulated = write_retailer(parameters, folder, truth, workers=settings.threads)
        source = source_of_home(settings.home, SIMULATOR)
        write_home(settings.home, HomeRecord(SIMULATOR, parameters.first_night))
        replace_text(_parameters_path(settings), _parameters_text(parameters))
        for delivery in simulated.deliveries:
            if delivery.last_day in have:
                continue
            night = Night(delivery.last_day)
            kept = settings.landing / SIMULATOR / delivery.folder.name
            # Moved there by a command that stopped before it registered them: the same bytes are at hand again.
            shutil.rmtree(kept, ignore_errors=True)
            kept.parent.mkdir(parents=True, exist_ok=True)
            delivery.folder.replace(kept)
            registered = landing.register(
                source,
                [kept / path.name for table in delivery.tables.values() for path in table.paths],
                kind=delivery.kind,
                registered_at=night.as_of.replace(minute=30),
                last_night=night,
            )
            done.append(described(registered))
        shutil.rmtree(folder, ignore_errors=True)
    return done


def landed_by_simulator(settings: Settings) -> int:
    """How many deliveries of the home's own simulated retailer are landed; 0 where it has none, or was interrupted."""
    record = read_home(settings.home)
    if record is None or record.source != SIMULATOR or _scratch(settings).exists():
        return 0
    return len(Landing.of(settings.home).deliveries(SIMULATOR))


def _scratch(settings: Settings) -> Path:
    return settings.landing / f".{SIMULATOR}"


def _parameters_path(settings: Settings) -> Path:
    return settings.home / "simulator.txt"


def _parameters_text(parameters: SimulatorParameters) -> str:
    """What must be the same for two simulations to be of one retailer: everything but the number of nights."""
    names = sorted(field.name for field in fields(parameters) if field.name != "nights")
    return "".join(f"{name}: {getattr(parameters, name)}\n" for name in names)


def _refuse_other_parameters(settings: Settings, parameters: SimulatorParameters) -> None:
    path = _parameters_path(settings)
    if not path.exists():
        return
    before, now = path.read_text(encoding="utf-8"), _parameters_text(parameters)
    if before != now:
        differing = set(before.splitlines()) ^ set(now.splitlines())
        raise InvalidArgument(
            "this home holds another simulated retailer",
            expected="; ".join(sorted(line for line in before.splitlines() if line in differing)),
            found="; ".join(sorted(line for line in now.splitlines() if line in differing)),
            next_command="ask for the same retailer, or set ATHENA_HOME to another folder",
        )
