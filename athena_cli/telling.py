"""What a command that changes something leaves behind: its own failure among the findings, and nobody untold."""

import functools
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import typer

from athena_assets.errors import AthenaError
from athena_assets.monitoring.alerting import Knowledge
from athena_assets.monitoring.delivery import Delivery, deliver
from athena_assets.monitoring.why import DOCTOR
from athena_assets.predictions.published_files import PublicationLost
from athena_assets.sources.errors import NightNotDelivered
from athena_assets.sources.inspection import tables_of
from athena_assets.wording import shell_word
from athena_cli.again import is_the_same_again, line_after_refusal
from athena_cli.changing import LOAD, NIGHT, Arguments, ChangingCommand
from athena_cli.clock import retailers_now
from athena_cli.output import errors
from athena_cli.sources import declared_source
from resources.alert_sink import AlertSink
from resources.disk import disk_full, is_full
from resources.findings import Finding, Findings
from resources.home import parking_place, read_home
from resources.outbox import Outbox, OutboxUnavailable
from resources.settings import Settings, load_settings
from resources.watch import Watch

NOT_TOLD = (
    "InvalidArgument", "InvalidSetting", "InvalidSimulatorParameter", "NoHome", "NotAReplacement", "RunFailed",
    "UnknownDelivery", "UnknownModel", "WrittenBeforeGate",
)  # fmt: skip
"""Errors that a command leaves no finding of: a wrong command line is nobody else's business, and the steps of a failed
run have written down their own."""

MAIN_TABLE = "raw.order_lines"
"""What a refused delivery concerns, unless the error names another file."""


class CommandDefective(AthenaError):
    """A command met something that no line of it expects."""


def telling(command: ChangingCommand, body: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: write down its failure, or clear it after a success; then deliver what is outstanding."""

    @functools.wraps(body)
    def told(**arguments: Any) -> None:
        if arguments.get("check"):
            body(**arguments)
            return
        partition = command.partition_of(arguments)
        with _watched(command, partition):
            try:
                body(**arguments)
            except (typer.Exit, typer.Abort):
                raise
            except Exception as error:
                _write_down(command, partition, error, arguments)
                raise
            _clear(command, partition)

    return told


@contextmanager
def _watched(command: ChangingCommand, partition: str) -> Iterator[None]:
    """Say that the command is under way, so that it is missed when it is killed; at its end everybody is told."""
    home = load_settings().home
    source = _source_of(home)
    try:
        if source is not None:
            _quietly(lambda: _begin(Watch(home), command, partition))
        yield
    finally:
        if source is not None:
            # The home may have been parked meanwhile, for another retailer.
            for place in (home, parking_place(home, source)):
                _quietly(Watch(place).end)
        deliver_outstanding()


def _begin(watch: Watch, command: ChangingCommand, partition: str) -> None:
    """Enter this process, and before it those that were killed: a success of the same command is the end of them."""
    now = datetime.now(UTC)
    watch.note_killed(now)
    watch.begin(command.name, partition, _line(), now)


def as_named(error: Exception) -> AthenaError | None:
    """The named error of a failed command: its own, or a full disk's; None for a defect."""
    if isinstance(error, AthenaError):
        return error
    home = load_settings().home
    return disk_full(error, home) if isinstance(error, OSError) and is_full(error, home) else None


def deliver_outstanding() -> list[Delivery]:
    """Send whatever is due; a command neither fails nor changes its exit code by it."""
    try:
        settings = load_settings()
        if not Outbox(settings.home).exists():
            return []
        now = datetime.now(UTC)
        Watch(settings.home).note_killed(now)
        return deliver(
            settings.home,
            AlertSink.of(settings, lambda line: errors.print(line, soft_wrap=True)),
            knowledge_here(settings),
            remind_after=timedelta(hours=float(settings.alert_reminder_hours)),
            at=now,
        )
    except AthenaError as error:
        errors.print(f"warning: {error}", soft_wrap=True)
        return []


def knowledge_here(settings: Settings) -> Knowledge:
    """What alerts need to know of this home; loads the definitions only where something is wrong."""
    if not Findings(settings.home).open():
        return Knowledge()
    try:
        from athena_assets.definitions import build_athena
        from athena_assets.monitoring.automation import knowledge_of

        athena = build_athena(settings)
        source = athena.retailer.source
        wall = retailers_now(source.timezone)
        return knowledge_of(athena.definitions.resolve_asset_graph(), source, settings, wall=wall)
    except Exception as error:
        # Whatever is broken in the home, an alert that knows less is better than none.
        errors.print(f"warning: alerts do not know what is downstream: {error}", soft_wrap=True)
        return Knowledge()


def _write_down(command: ChangingCommand, partition: str, error: Exception, arguments: Arguments) -> None:
    named = as_named(error) or CommandDefective(
        f"{command.name} ended with a defect, {type(error).__name__}: {error}",
        found="".join(traceback.format_exception(error)).rstrip(),
        next_command=_line(),
    )
    settings = load_settings()
    if type(error).__name__ in NOT_TOLD or not _is_home(settings.home):
        return
    if command is LOAD and is_the_same_again(settings, error, arguments):
        return
    if command is NIGHT and _is_refused(settings, partition, error):
        return
    # What stands for a delivery that cannot be found is not known to be of any table.
    of_table = command is LOAD and (partition or arguments.get("replaces") is None)
    asset = _refused_table(settings, error, arguments) if of_table else command.name
    found = Finding(
        kind="error",
        severity="ERROR",
        asset=asset,
        partition=partition,
        check=command.name,
        rule=type(named).__name__,
        summary=named.what,
        figure="" if isinstance(named, CommandDefective) else named.found or "",
        limit=named.expected or "",
        details=_details(settings, command, named, arguments),
    )
    Findings(settings.home).observe([found], looked_at=[found.place], at=datetime.now(UTC))


def _line() -> str:
    """The command line of this process, as it was typed."""
    return " ".join(map(shell_word, ["athena", *sys.argv[1:]]))


def _clear(command: ChangingCommand, partition: str) -> None:
    findings = Findings(load_settings().home)

    def clear() -> None:
        places = [
            each.finding.place
            for each in findings.open()
            if each.finding.check in (command.name, *command.mends)
            and (
                command.mends_all
                or each.finding.partition == partition
                # Of the command itself: nobody has said which partition it was about.
                or (each.finding.asset, each.finding.partition) == (command.name, "")
            )
        ]
        findings.observe([], looked_at=places, at=datetime.now(UTC))

    _quietly(clear)


def _quietly(act: Callable[[], None]) -> None:
    """Act on the outbox; where it cannot be used, `deliver_outstanding` says so at the end."""
    with suppress(OutboxUnavailable):
        act()


def _source_of(home: Path) -> str | None:
    """Whose home it is; None where it is nobody's yet, so that a refused first command leaves no folder behind."""
    try:
        record = read_home(home)
    except AthenaError:
        return None
    return record.source if record is not None else None


def tell_of_lost_publication(home: Path, error: PublicationLost) -> None:
    """Tell everybody that readers find less than was published: no run notices, only who looks."""
    found = Finding(
        kind="error",
        severity="ERROR",
        asset=error.table,
        partition=error.night,
        check=DOCTOR,
        rule=type(error).__name__,
        summary=error.what,
        figure=error.found or "",
        limit=error.expected or "",
        details=str(error),
    )
    Findings(home).observe([found], looked_at=[found.place], at=datetime.now(UTC))
    deliver_outstanding()


def _is_home(home: Path) -> bool:
    """Whether something may be written here; a damaged home is one, too."""
    try:
        return read_home(home) is not None
    except AthenaError:
        return home.is_dir()


def _details(settings: Settings, command: ChangingCommand, named: AthenaError, arguments: Arguments) -> str:
    """Everything that an error says; of a refused delivery also the line that goes on from there."""
    return f"{named}\n  again:    {line_after_refusal(settings, named, arguments)}" if command is LOAD else str(named)


def _is_refused(settings: Settings, night: str, error: Exception) -> bool:
    """Whether what came for a night was refused for this, or so that there is nothing to run: its owner knows."""
    try:
        refused = {
            each.finding.rule
            for each in Findings(settings.home).open()
            if (each.finding.check, each.finding.partition) == (LOAD.name, night)
        }
    except AthenaError:
        return False
    return bool(refused) and (isinstance(error, NightNotDelivered) or type(error).__name__ in refused)


def _refused_table(settings: Settings, error: Exception, arguments: Arguments) -> str:
    """The raw table of the file that the error names."""
    try:
        source = declared_source(settings, arguments.get("source"), arguments.get("mapping"))
        tables = tables_of(source, arguments["files"])
    except (AthenaError, OSError):
        return MAIN_TABLE
    return next((f"raw.{table}" for table, path in tables if path.name in str(error)), MAIN_TABLE)
