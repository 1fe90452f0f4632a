"""`athena night`: one night, from its deliveries to its published predictions and the bill."""

from typing import Annotated

import typer

from athena_assets.errors import InvalidArgument
from athena_assets.nights import Night
from athena_assets.pins import USE_CURRENT
from athena_assets.sources.errors import NightNotDelivered
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
    console.print(f"published: {workplace.settings.published / 'predictions'}", markup=False)


def run_night(workplace: Workplace, chosen: Night, *, current: bool = False) -> None:
    """Run the night job; raises what `refuse_impossible` raises, and `RunFailed` for a night that fails."""
    refuse_impossible(workplace, chosen)
    with doing(f"night {chosen.key}: intake, features, scores, checks, publication, cost"):
        workplace.orchestrator.execute(JOB, partition=chosen.key, tags={USE_CURRENT: "true"} if current else None)


def refuse_impossible(workplace: Workplace, chosen: Night) -> None:
    """Refuse a night in the history or still to come (`InvalidArgument`), or not delivered (`NightNotDelivered`)."""
    retailer = workplace.retailer
    first, last = retailer.first_night, retailer.last_delivered
    if chosen < first:
        raise InvalidArgument(
            f"the night {chosen.key} lies in the bulk history",
            expected=f"a night from {first.key} on",
            found=chosen.key,
            next_command=f"athena features --customer ID --as-of {chosen.plus(1).key} answers for any day of it",
        )
    if last is None or chosen > last:
        # A night that is over should have been delivered, and its owner is told; one to come is a slip of the pen.
        over = chosen.as_of <= retailers_now(retailer.source.timezone)
        raise (NightNotDelivered if over else InvalidArgument)(
            f"the night {chosen.key} has not been delivered",
            expected=f"a night up to {last.key}" if last is not None else "a delivery",
            found=chosen.key,
            next_command=f"athena load --night {chosen.key} FILES",
        )
    if not workplace.landing.covering(workplace.source.name, chosen):
        raise NightNotDelivered(
            f"the night {chosen.key} has not been delivered, though later ones have",
            expected=f"a delivery that covers {chosen.key}",
            found="none",
            next_command=f"athena load --night {chosen.key} FILES (a file with a header alone, if nothing was sold)",
        )
