"""`athena alerts`: what is wrong now, who takes care of it, and sending what has not arrived."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from athena_assets.monitoring.alerting import Alert
from athena_assets.monitoring.delivery import open_alerts
from athena_cli.output import console, errors, print_json, print_table
from athena_cli.telling import deliver_outstanding, knowledge_here
from resources.alert_book import AlertBook
from resources.alert_sink import AlertSink
from resources.settings import load_settings
from resources.watch import Watch

app = typer.Typer(
    help="Alerts: one for each night and root cause, with the command that mends it.", rich_markup_mode=None
)


@app.callback(invoke_without_command=True)
def alerts(
    context: typer.Context,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Show the open alerts: cause, owner, impact, runbook and the mending command."""
    if context.invoked_subcommand is not None:
        return
    settings = load_settings()
    Watch(settings.home).note_killed(datetime.now(UTC))
    found = open_alerts(settings.home, knowledge_here(settings), resolved=everything, at=datetime.now(UTC))
    if as_json:
        print_json([alert.document() for alert in found])
        return
    standing = [alert for alert in found if alert.resolved_at is None]
    for alert in standing:
        _show(alert)
    if not standing:
        console.print("no open alert")
    if over := [alert for alert in found if alert.resolved_at is not None]:
        print_table(
            "over",
            ["alert", "severity", "opened", "resolved", "what"],
            [[str(one.id), one.severity, _minute(one.opened_at), _minute(one.resolved_at), one.title] for one in over],
        )
    for missing in AlertBook(settings.home).undelivered(AlertSink.of(settings).channels):
        errors.print(
            f"alert {missing.alert_id} has not arrived on {missing.channel} (attempts: {missing.failures}):"
            f" {missing.failure}",
            soft_wrap=True,
        )


@app.command("ack")
def acknowledge(
    alert: Annotated[int, typer.Argument(metavar="ID", min=1, max=2**63 - 1, help="Number of an open alert.")],
    by: Annotated[str, typer.Option(help="Who takes care of it.")],
) -> None:
    """Take an alert: no more reminders, though what is new about it is still sent."""
    taken = AlertBook(load_settings().home).acknowledge(alert, by, datetime.now(UTC))
    console.print(f"alert {taken.id} ({taken.key}) is taken by {by}")


@app.command("send")
def send() -> None:
    """Send what is outstanding; does nothing where everybody knows. Exit code 1 if a channel does not take it."""
    done = deliver_outstanding()
    failed = [each for each in done if each.failure]
    for each in failed:
        errors.print(
            f"alert {each.alert.id} did not arrive on {each.claim.channel}: {each.failure}",
            soft_wrap=True,
        )
    console.print(f"{len(done) - len(failed)} messages sent, {len(failed)} failed")
    if failed:
        raise typer.Exit(1)


def _show(alert: Alert) -> None:
    console.print(f"{alert.severity} alert {alert.id}: {alert.title}", style="bold", soft_wrap=True)
    console.print(f"open since {_minute(alert.opened_at)}\n{alert.text}\n", soft_wrap=True)


def _minute(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment is not None else ""
