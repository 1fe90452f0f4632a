"""`athena why`: one screen for the engineer on call: what is wrong, who brought it, whom it hits, what mends it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import duckdb
import typer

from athena_assets.errors import AthenaError, InvalidArgument
from athena_assets.monitoring.alerting import Alert
from athena_assets.monitoring.delivery import open_alerts
from athena_assets.monitoring.explaining import Explainer
from athena_assets.monitoring.grouping import REFUSALS
from athena_assets.monitoring.waiting import partition_named, waits_for
from athena_assets.monitoring.why import Why, excuse
from athena_cli.clock import retailers_now, utc_now
from athena_cli.output import console, print_json
from athena_cli.standing import PublicationOutdated, finding_of, standing_errors
from athena_cli.telling import knowledge_here
from athena_cli.workplace import Workplace, here
from checks.overrides import Override
from resources.findings import Finding, Findings, RecordedFinding
from resources.watch import Watch

if TYPE_CHECKING:
    from checks.needs import GatePlan

SECONDS_BETWEEN_LOOKS = 5.0


def why(
    asset: Annotated[
        str | None, typer.Argument(help="Table, schema.table; default: the oldest open alert's cause.")
    ] = None,
    partition: Annotated[
        str | None, typer.Argument(metavar="NIGHT", help="Night, YYYY-MM-DD, or month of a table of months, YYYY-MM.")
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Look again until it is clean.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Say why a table is refused or not computed, and the command that mends it. Exit code 1 while it is."""
    workplace = here()
    shown = ""
    while True:
        found = look(workplace, asset, partition)
        if as_json:
            print_json(found.document() if found else None)
        else:
            screen = found.screen() if found else "nothing is wrong"
            if screen != shown:
                console.print(screen, soft_wrap=True)
            shown = screen
        if found is None:
            return
        if not watch:
            raise typer.Exit(1)
        time.sleep(SECONDS_BETWEEN_LOOKS)


def look(workplace: Workplace, asset: str | None, partition: str | None) -> Why | None:
    """What is wrong with a table, or with anything; None where nothing is."""
    settings = workplace.settings
    Watch(settings.home).note_killed(datetime.now(UTC))
    findings = [each.finding for each in Findings(settings.home).open()]
    known = knowledge_here(settings)
    explainer = Explainer(settings, wall=retailers_now(workplace.source.timezone), at=utc_now())
    if asset is not None:
        partition = partition_named(_plan_with(workplace, asset), asset, partition)
        chosen = [each for each in findings if _is_asked(each, asset, partition)]
    else:
        alerts = open_alerts(settings.home, replace(known, explain=lambda _: []), at=datetime.now(UTC))
        chosen = _gravest(alerts, explainer.lifted)
        if chosen and all(each.rule in REFUSALS for each in chosen):
            # Nothing is wrong with what was refused: it waits for something that nobody has been told of.
            asset, partition = chosen[0].asset, chosen[0].partition
    asked: tuple[str, str] | None = None
    if all(each.rule in REFUSALS or each.severity == "WARN" for each in chosen) and (
        standing := _standing(workplace, asset)
    ):
        return explainer.explain(standing)
    if asset is not None and (not chosen or any(each.rule in REFUSALS for each in chosen)):
        with workplace.warehouse.read() as connection:
            plan = _plan_with(workplace, asset)
            meant, causes = waits_for(connection, plan, asset, partition, findings, known, at=utc_now())
        if causes:
            asked, chosen = (asset, meant), causes
    if not chosen:
        return None
    return explainer.explain(chosen, asked)


def _standing(workplace: Workplace, asset: str | None) -> list[Finding]:
    """What no command has failed of: rows from before the gate, for which everything waits, or what is up and outdated.

    asset: the table that was asked about. Nothing where the warehouse cannot be read.
    """
    with suppress(AthenaError, duckdb.Error):
        return [
            finding_of(table, error)
            for table, error in standing_errors(workplace)
            if asset in (None, table) or not isinstance(error, PublicationOutdated)
        ][:1]
    return []


def _gravest(alerts: Sequence[Alert], lifted: Sequence[Override]) -> list[Finding]:
    """The causes of the gravest alert that stops something, else of one that is let through.

    What followed from a cause that is let through stops the night by itself.
    """

    def standing(recorded: Sequence[RecordedFinding]) -> list[Finding]:
        return [each.finding for each in recorded if excuse(each.finding, lifted) is None]

    def rank(alert: Alert) -> tuple[bool, bool, datetime]:
        return not standing((*alert.roots, *alert.consequences)), alert.severity != "ERROR", alert.opened_at

    if not alerts:
        return []
    first = min(alerts, key=rank)
    return standing(first.roots) or standing(first.consequences) or [each.finding for each in first.roots]


def _is_asked(finding: Finding, asset: str, partition: str | None) -> bool:
    return asset == finding.asset and partition in (None, finding.partition)


def _plan_with(workplace: Workplace, asset: str) -> GatePlan:
    """What every table reads; raises `InvalidArgument` unless the one asked for is among them."""
    from checks.needs import GatePlan

    plan = GatePlan(workplace.athena.definitions.resolve_asset_graph())
    if asset not in plan.addresses:
        known = ", ".join(sorted(plan.addresses))
        raise InvalidArgument(f"there is no table {asset}", expected=f"one of {known}", found=asset)
    return plan
