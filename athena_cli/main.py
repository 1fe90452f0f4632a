"""`athena`: the commands, and the one place where a named error becomes an exit code."""

import sys

import typer

from athena_assets.errors import AthenaError
from athena_cli import contracts, doctor, evening, explore, models, nights, sources, training, ui
from athena_cli.output import print_error
from resources.disk import disk_full, is_full
from resources.settings import load_settings

app = typer.Typer(
    name="athena",
    help="A retailer's machine-learning production system: raw orders to decisions to the bill.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(evening.run)
app.command("simulate")(sources.simulate)
app.command("load")(sources.load)
app.command("night")(nights.night)
app.command("train")(training.train)
app.command("backtest")(training.backtest)
app.command("models")(models.models)
app.command("features")(explore.features)
app.add_typer(contracts.app, name="contracts")
app.command("doctor")(doctor.doctor)
app.command("ui")(ui.ui)


def main() -> None:
    """Entry point: exit code 0 when it is done, 1 for a named error, 2 for a wrong command line."""
    try:
        app(prog_name="athena")
    except AthenaError as error:
        print_error(error)
        sys.exit(1)
    except OSError as error:
        home = load_settings().home
        if not is_full(error, home):
            raise
        print_error(disk_full(error, home))
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
