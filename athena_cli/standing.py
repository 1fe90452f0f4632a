"""What stands in a home and should not, though no command has failed of it: who looks finds it, and what mends it."""

import shlex
from collections.abc import Iterable, Iterator

from athena_assets.errors import AthenaError
from athena_assets.monitoring.why import DOCTOR
from athena_assets.nights import Night
from athena_assets.predictions.publish import LATEST, night_of
from athena_cli.workplace import Workplace
from resources.findings import Finding


class PublicationOutdated(AthenaError):
    """What consumers read was computed from deliveries that have been withdrawn, replaced or added to since."""

    table = ""
    """The published table."""


def refuse_unstamped(workplace: Workplace) -> None:
    """Raise `WrittenBeforeGate` where tables have rows of which the gate knows nothing."""
    from checks import unstamped
    from checks.needs import GatePlan

    if not workplace.settings.warehouse_path.exists():
        return
    plan = GatePlan(workplace.athena.definitions.resolve_asset_graph())
    again = f"athena run --source {shlex.quote(workplace.record.source)} --current"
    with workplace.warehouse.read() as connection:
        unstamped.refuse_unstamped(connection, plan, next_command=again)


def refuse_outdated_publication(workplace: Workplace) -> None:
    """Raise `PublicationOutdated` where the night that is up saw other deliveries than those that count today."""
    outdated = workplace.outdated_nights()
    for spec in workplace.athena.models:
        up = night_of(workplace.settings.published / "predictions" / spec.name / LATEST)
        if up is None or Night(up).key not in outdated:
            continue
        error = PublicationOutdated(
            f"the predictions of {spec.name} that are up came from deliveries that no longer count as they did",
            expected="every published night made from what counts today",
            found=f"night {up}, computed from {_no_longer_counting(workplace)}",
            next_command=mending_line(workplace),
        )
        error.table = f"predictions.{spec.name}"
        raise error


def mending_line(workplace: Workplace) -> str:
    """What makes the outdated nights anew, as one line of shell; FILES is what has not been delivered again yet."""
    outdated = workplace.outdated_nights()
    loads = [f"athena load --night {night} FILES" for night in _undelivered(workplace, outdated)]
    history = _history_commands(workplace)
    nights = [f"athena night {night}{' --current' if published else ''}" for night, published in outdated.items()]
    return " && ".join([*history, *loads, *nights])


def standing_errors(workplace: Workplace) -> Iterator[tuple[str, AthenaError]]:
    """`(table, error)` of what stands and should not."""
    from checks.unstamped import WrittenBeforeGate

    try:
        refuse_unstamped(workplace)
    except WrittenBeforeGate as error:
        yield error.table, error
    try:
        refuse_outdated_publication(workplace)
    except PublicationOutdated as error:
        yield error.table, error


def finding_of(table: str, error: AthenaError) -> Finding:
    """A standing error as `athena why` explains it; nobody is told of it, because nobody has noticed it before."""
    return Finding(
        kind="error",
        severity="ERROR",
        asset=table,
        partition="",
        check=DOCTOR,
        rule=type(error).__name__,
        summary=error.what,
        figure=error.found or "",
        limit=error.expected or "",
        details=str(error),
    )


def _undelivered(workplace: Workplace, nights: Iterable[str]) -> list[str]:
    deliveries = workplace.landing.deliveries(workplace.record.source)
    return [night for night in nights if not any(each.covers(Night.parse(night).day) for each in deliveries)]


def _history_commands(workplace: Workplace) -> list[str]:
    """What lands the history as it counts today; nothing where it is."""
    deliveries = workplace.landing.deliveries(workplace.record.source)
    counting = {each.delivery_id for each in deliveries if each.first_night < workplace.record.first_night}
    landed = {row[0] for row in workplace.ask("SELECT DISTINCT delivery_id FROM orders.accounting_history")}
    if landed == counting:
        return []
    return [*([] if counting else ["athena load FILES"]), f"athena run --source {shlex.quote(workplace.record.source)}"]


def _no_longer_counting(workplace: Workplace) -> str:
    """The deliveries whose rows stand and that no longer count, and what became of them."""
    landed = {row[0] for row in workplace.ask("SELECT DISTINCT delivery_id FROM orders.all_accounting")}
    retired = [each for each in workplace.landing.manifests.retired() if each.delivery.delivery_id in landed]
    told = [f"{each.delivery.delivery_id}, {each.fate}" for each in retired]
    return "; ".join(told) or "what was there before a later delivery of an earlier night"
