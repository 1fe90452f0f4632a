"""`athena night`: one night, from its deliveries to its published predictions and the bill."""

from typing import Annotated

import typer

from athena_assets.nights import Night
from athena_assets.opening.delivered import refuse_impossible
from athena_assets.pins import USE_CURRENT
from athena_cli.clock import retailers_now
from athena_cli.output import console, doing, print_json, print_table
from athena_cli.summary import night_summary, print_overrides
from athena_cli.workplace import Workplace, here

JOB = "night"


def night(
    day: Annotated[str, typer.Argument(help="The night to run, YYYY-MM-DD: the day that it closes.")],
    current: Annotated[
        bool, typer.Option("--current", help="Use today's model, features and contracts instead of the night's pins.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Run one night. Run again it gives the same bytes, because the night pins what it used."""
    workplace = here()
    chosen = Night.parse(day)
    run_night(workplace, chosen, current=current)
    figures = night_summary(workplace, chosen)
    if as_json:
        print_json(figures)
        return
    print_overrides(figures.pop("overrides"))
    print_table(f"Night {chosen.key}", ["what", "figure"], [[name, value] for name, value in figures.items()])
    console.print(f"published: {workplace.settings.published / 'predictions'}")


def run_night(workplace: Workplace, chosen: Night, *, current: bool = False) -> None:
    """Run the night job; raises what `refuse_impossible` raises, and `RunFailed` for a night that fails."""
    retailer = workplace.retailer
    deliveries = workplace.landing.deliveries(retailer.source.name)
    refuse_impossible(retailer, deliveries, chosen, now=retailers_now(retailer.source.timezone))
    with doing(f"night {chosen.key}: intake, features, scores, checks, publication, cost"):
        workplace.orchestrator.execute(JOB, partition=chosen.key, tags={USE_CURRENT: "true"} if current else None)
