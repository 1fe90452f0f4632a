"""`athena`: the commands, and the one place where a named error becomes an exit code."""

import sys

import typer

from athena_assets.errors import AthenaError
from athena_cli import (
    alerts,
    check,
    contracts,
    deliveries,
    doctor,
    evening,
    explore,
    models,
    nights,
    override,
    plan,
    replay,
    simulating,
    sources,
    training,
    ui,
    why,
)
from athena_cli.changing import CHECK, LOAD, NIGHT, RUN, TRAIN, WITHDRAW
from athena_cli.output import print_error
from athena_cli.telling import as_named, telling

app = typer.Typer(
    name="athena",
    help="A retailer's machine-learning production system: raw orders to decisions to the bill.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(telling(RUN, evening.run))
app.command("simulate")(simulating.simulate)
app.command("load")(telling(LOAD, sources.load))
app.command("deliveries")(deliveries.deliveries)
app.command("withdraw")(telling(WITHDRAW, deliveries.withdraw))
app.command("night")(telling(NIGHT, nights.night))
app.command("train")(telling(TRAIN, training.train))
app.command("backtest")(training.backtest)
app.command("why")(why.why)
app.command("check")(telling(CHECK, check.check))
app.add_typer(override.app, name="override")
app.add_typer(plan.app, name="plan")
app.command("models")(models.models)
app.command("features")(explore.features)
app.add_typer(contracts.app, name="contracts")
app.add_typer(alerts.app, name="alerts")
app.add_typer(replay.app, name="replay")
app.command("doctor")(doctor.doctor)
app.command("ui")(ui.ui)


def main() -> None:
    """Entry point: exit code 0 when it is done, 1 for a named error, 2 for a wrong command line."""
    try:
        app(prog_name="athena")
    except (AthenaError, OSError) as error:
        named = as_named(error)
        if named is None:
            raise
        print_error(named)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
