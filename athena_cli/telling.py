"""What a command that changes something leaves behind: its own failure among the findings, and nobody untold."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from athena_assets.errors import AthenaError
from athena_assets.monitoring.alerting import Knowledge
from athena_assets.monitoring.delivery import Delivery, deliver
from athena_assets.sources.inspection import tables_of
from athena_assets.sources.landing import Landing
from athena_cli.output import errors
from athena_cli.replacing import replaced_delivery
from athena_cli.sources import declared_source
from resources.alert_sink import AlertSink
from resources.disk import disk_full, is_full
from resources.findings import Finding, Findings
from resources.home import read_home
from resources.outbox import outbox_path
from resources.settings import Settings, load_settings

NOT_TOLD = (
    "InvalidArgument", "InvalidSetting", "InvalidSimulatorParameter", "NoHome", "NotAReplacement", "RunFailed",
    "UnknownDelivery", "UnknownModel",
)  # fmt: skip
"""Errors that a command leaves no finding of: a wrong command line is nobody else's business, and the steps of a failed
run have written down their own."""

MAIN_TABLE = "raw.order_lines"
"""What a refused delivery concerns, unless the error names another file."""

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class ChangingCommand:
    """One command that changes something: what a failure of it concerns, and what a success of it mends."""

    name: str
    partition_of: Callable[[Arguments], str] = lambda arguments: ""
    """The partition that the command line names, as Dagster's key; '' where it names none."""
    mends: tuple[str, ...] = ()
    """Other commands whose failures on the same partition are over when this one succeeds."""
    mends_all: bool = False
    """Whether success mends them on every partition."""


def _night_of_load(arguments: Arguments) -> str:
    """The night that a delivery is said to be of, else that of the delivery which it replaces; '' for a bulk file."""
    said, replaces = arguments.get("night"), arguments.get("replaces")
    if said or replaces is None:
        return said or ""
    try:
        replaced = replaced_delivery(Landing.of(load_settings().home), replaces)
    except AthenaError:
        return ""
    return str(replaced.last_night) if replaced.kind == "nightly" else ""


RUN = ChangingCommand("athena run", mends=("athena night", "athena train"), mends_all=True)
LOAD = ChangingCommand("athena load", _night_of_load)
NIGHT = ChangingCommand("athena night", lambda arguments: arguments["day"], mends=("athena load",))
TRAIN = ChangingCommand("athena train", lambda arguments: f"{arguments['month']}-01" if arguments.get("month") else "")


def telling(command: ChangingCommand, body: Callable[..., None]) -> Callable[..., None]:
    """Wrap a command: write down its failure, or clear it after a success; then deliver what is outstanding."""

    @functools.wraps(body)
    def told(**arguments: Any) -> None:
        try:
            body(**arguments)
        except (AthenaError, OSError) as error:
            named = as_named(error)
            if named is not None:
                _write_down(command, named, arguments)
            raise
        else:
            _clear(command, arguments)
        finally:
            deliver_outstanding()

    return told


def as_named(error: AthenaError | OSError) -> AthenaError | None:
    """The named error of a failed command: its own, or a full disk's; None for a defect."""
    if isinstance(error, AthenaError):
        return error
    home = load_settings().home
    return disk_full(error, home) if is_full(error, home) else None


def deliver_outstanding() -> list[Delivery]:
    """Send whatever is due; a command neither fails nor changes its exit code by it."""
    try:
        settings = load_settings()
        if not outbox_path(settings.home).exists():
            return []
        return deliver(
            settings.home,
            AlertSink.of(settings, lambda line: errors.print(line, markup=False, soft_wrap=True)),
            knowledge_here(settings),
            remind_after=timedelta(hours=float(settings.alert_reminder_hours)),
            at=datetime.now(UTC),
        )
    except AthenaError as error:
        errors.print(f"warning: {error}", markup=False, soft_wrap=True)
        return []


def knowledge_here(settings: Settings) -> Knowledge:
    """What alerts need to know of this home; loads the definitions only where something is wrong."""
    if not Findings(settings.home).open():
        return Knowledge()
    try:
        from athena_assets.definitions import build_athena
        from athena_assets.monitoring.automation import knowledge_of

        athena = build_athena(settings)
        return knowledge_of(athena.definitions.resolve_asset_graph(), athena.retailer.source, settings)
    except Exception as error:
        # Whatever is broken in the home, an alert that knows less is better than none.
        errors.print(f"warning: alerts do not know what is downstream: {error}", markup=False, soft_wrap=True)
        return Knowledge()


def _write_down(command: ChangingCommand, error: AthenaError, arguments: Arguments) -> None:
    if type(error).__name__ in NOT_TOLD or arguments.get("check"):
        return
    settings = load_settings()
    if not _is_home(settings.home):
        return
    asset = _refused_table(settings, error, arguments) if command is LOAD else command.name
    found = Finding(
        kind="error",
        severity="ERROR",
        asset=asset,
        partition=command.partition_of(arguments),
        check=command.name,
        rule=type(error).__name__,
        summary=error.what,
        figure=error.found or "",
        limit=error.expected or "",
        details=str(error),
    )
    Findings(settings.home).observe([found], looked_at=[found.place], at=datetime.now(UTC))


def _clear(command: ChangingCommand, arguments: Arguments) -> None:
    if arguments.get("check"):
        return
    settings = load_settings()
    partition = command.partition_of(arguments)
    findings = Findings(settings.home)
    try:
        places = [
            each.finding.place
            for each in findings.open()
            if each.finding.check in (command.name, *command.mends)
            and (command.mends_all or each.finding.partition in (partition, ""))
        ]
    except AthenaError:
        return  # deliver_outstanding says it
    findings.observe([], looked_at=places, at=datetime.now(UTC))


def _is_home(home: Path) -> bool:
    """Whether something may be written here: a refused first command leaves no folder behind."""
    try:
        return read_home(home) is not None
    except AthenaError:
        return home.is_dir()


def _refused_table(settings: Settings, error: AthenaError, arguments: Arguments) -> str:
    """The raw table of the file that the error names."""
    try:
        source = declared_source(settings, arguments.get("source"), arguments.get("mapping"))
        tables = tables_of(source, arguments["files"])
    except (AthenaError, OSError):
        return MAIN_TABLE
    return next((f"raw.{table}" for table, path in tables if path.name in str(error)), MAIN_TABLE)
