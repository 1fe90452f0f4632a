"""`athena why`: one screen for the engineer on call: what is wrong, who brought it, whom it hits, what mends it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import duckdb
import typer

from athena_assets.errors import AthenaError, InvalidArgument
from athena_assets.monitoring.delivery import open_alerts
from athena_assets.monitoring.grouping import REFUSALS
from athena_assets.monitoring.records import records_of
from athena_assets.monitoring.why import Why, explain
from athena_cli.clock import retailers_now, utc_now
from athena_cli.output import console, print_json
from athena_cli.telling import knowledge_here
from athena_cli.workplace import Workplace, here
from checks.overrides import Override, live
from resources.findings import Finding, Findings
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from checks.needs import GatePlan

SECONDS_BETWEEN_LOOKS = 5.0
LOCK_WAIT_SECONDS = 0.5
"""A screen is worth more now without rows than later with them."""


def why(
    asset: Annotated[
        str | None, typer.Argument(help="Table, schema.table; default: the oldest open alert's cause.")
    ] = None,
    partition: Annotated[str | None, typer.Argument(metavar="NIGHT", help="Night or month.")] = None,
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
                console.print(screen, markup=False, soft_wrap=True)
            shown = screen
        if found is None:
            return
        if not watch:
            raise typer.Exit(1)
        time.sleep(SECONDS_BETWEEN_LOOKS)


def look(workplace: Workplace, asset: str | None, partition: str | None) -> Why | None:
    """What is wrong with a table, or with anything; None where nothing is."""
    settings = workplace.settings
    findings = Findings(settings.home).open()
    known = knowledge_here(settings)
    chosen = [each.finding for each in findings if _is_asked(each.finding, asset, partition)]
    if asset is None:
        alerts = open_alerts(settings.home, known, at=datetime.now(UTC))
        gravest = sorted(alerts, key=lambda alert: (alert.severity != "ERROR", alert.opened_at))
        chosen = [each.finding for each in gravest[0].roots] if gravest else []
        if chosen and all(each.rule in REFUSALS for each in chosen):
            # Nothing is wrong with what was refused: it waits for something that nobody has been told of.
            asset, partition = chosen[0].asset, chosen[0].partition
    else:
        _need_table(workplace, asset)
    asked: tuple[str, str] | None = None
    if asset is not None and (not chosen or any(each.rule in REFUSALS for each in chosen)):
        causes = _causes(workplace, asset, partition, [each.finding for each in findings])
        if causes:
            asked, chosen = (asset, partition or ""), causes
    if not chosen:
        return None
    chosen = sorted(chosen, key=lambda each: (each.severity != "ERROR", each.kind != "check"))

    @contextmanager
    def reading() -> Iterator[duckdb.DuckDBPyConnection]:
        patient = Warehouse.of(settings)
        with patient.model_copy(update={"lock_wait_seconds": LOCK_WAIT_SECONDS}).read() as connection:
            yield connection

    records = records_of(settings, retailers_now(workplace.source.timezone), reading)
    return explain(records, chosen, lifted=_overrides(reading), asked=asked)


def _overrides(reading: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]]) -> list[Override]:
    """The overrides that hold now; none where the warehouse cannot be read, of which the screen says so itself."""
    try:
        with reading() as connection:
            return live(connection, at=utc_now())
    except (AthenaError, duckdb.Error):
        return []


def _is_asked(finding: Finding, asset: str | None, partition: str | None) -> bool:
    return asset in (None, finding.asset) and partition in (None, finding.partition)


def _need_table(workplace: Workplace, asset: str) -> None:
    known = _plan(workplace).addresses
    if asset not in known:
        raise InvalidArgument(f"there is no table {asset}", expected=f"one of {', '.join(sorted(known))}", found=asset)


def _plan(workplace: Workplace) -> GatePlan:
    from checks.needs import GatePlan

    return GatePlan(workplace.athena.definitions.resolve_asset_graph())


def _causes(workplace: Workplace, asset: str, partition: str | None, findings: list[Finding]) -> list[Finding]:
    """The findings of what a table waits for: what it would read and the gate would refuse."""
    from checks.gaps import gaps_before, latest_partition
    from checks.verdicts import has_gate

    with workplace.warehouse.read() as connection:
        if not has_gate(connection):
            return []
        wanted = [partition] if partition else []
        plan = _plan(workplace)
        needs = plan.needs_of(asset, wanted, lambda name: latest_partition(connection, name))
        gaps = gaps_before(connection, plan, needs)
    recorded = [
        finding for gap in gaps for finding in findings if _place(finding) == (gap.asset, gap.partition, gap.check)
    ]
    if recorded:
        return recorded
    return [
        Finding(
            kind="check",
            severity="ERROR",
            asset=gap.asset,
            partition=gap.partition,
            check=gap.check,
            rule=f"{gap.check}.{gap.state}",
            summary=gap.found,
        )
        for gap in gaps[:1]
    ]


def _place(finding: Finding) -> tuple[str, str, str]:
    return finding.asset, finding.partition, finding.check
