"""`athena doctor`: looks at the home and says what is not well, and the command that mends it."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

import typer

from athena_assets.errors import AthenaError
from athena_assets.predictions.published_files import PublicationLost
from athena_cli.clock import retailers_now
from athena_cli.output import console, print_json, print_table
from athena_cli.standing import refuse_outdated_publication, refuse_unstamped
from athena_cli.telling import tell_of_lost_publication
from athena_cli.workplace import Workplace, here
from resources.alert_book import AlertBook
from resources.alert_sink import AlertSink
from resources.findings import Findings
from resources.home import need_home
from resources.settings import load_settings, settings_page
from resources.warehouse import WarehouseCorrupt

LEAST_FREE_BYTES = 1_000_000_000


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    what: str
    well: bool
    found: str


def doctor(
    settings: Annotated[bool, typer.Option("--settings", help="Print the page of all settings and stop.")] = False,
    mend: Annotated[bool, typer.Option("--mend", help="Mend what can be mended: MLflow's aliases.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Look at home, deliveries, warehouse, registry, published files and disk. Exit code 1 if anything is not well."""
    if settings:
        typer.echo(settings_page(), nl=False)
        return
    workplace = here()
    findings = list(_examine(workplace, mend))
    if as_json:
        print_json([finding.__dict__ for finding in findings])
    else:
        rows = [[finding.what, finding.well, finding.found.splitlines()] for finding in findings]
        print_table(f"Home {workplace.settings.home}", ["what", "well", "found"], rows)
        if all(finding.well for finding in findings):
            console.print("everything is well")
    if not all(finding.well for finding in findings):
        raise typer.Exit(1)


def _examine(workplace: Workplace, mend: bool) -> Iterator[Finding]:
    looks: list[tuple[str, Callable[[Workplace], str]]] = [
        ("settings", lambda _: f"ATHENA_HOME {load_settings().home}"),
        ("home", _home),
        ("deliveries", _deliveries),
        ("warehouse", _warehouse),
        ("accounts", _accounts),
        ("promotion ledger", lambda place: f"{place.registry.verify_ledger()} entries, chain unbroken"),
        ("models", _models),
        ("gate", _gate),
        ("published", _published),
        ("alerts", _alerts),
        ("disk", _disk),
    ]
    if mend:
        looks.append(("aliases", lambda place: f"{place.registry.reconcile()} mended"))
    for what, look in looks:
        try:
            yield Finding(what, True, look(workplace))
        except AthenaError as error:
            if isinstance(error, PublicationLost):
                tell_of_lost_publication(workplace.settings.home, error)
            yield Finding(what, False, str(error))


def _home(workplace: Workplace) -> str:
    record = need_home(workplace.settings.home)
    return f"{record.source}, first night {record.first_night}"


def _deliveries(workplace: Workplace) -> str:
    deliveries = workplace.landing.deliveries(workplace.source.name)
    for delivery in deliveries:
        for file in delivery.files:
            workplace.landing.verified(delivery, file)
    return f"{len(deliveries)}, every file as registered"


def _warehouse(workplace: Workplace) -> str:
    path = workplace.settings.warehouse_path
    with workplace.warehouse.read() as connection:
        ((tables,),) = connection.execute("SELECT count(*) FROM information_schema.tables").fetchall()
        ((block, blocks),) = connection.execute(
            "SELECT block_size, used_blocks FROM pragma_database_size() WHERE database_name = current_database()"
        ).fetchall()
    size = path.stat().st_size
    if size < block * blocks:
        raise WarehouseCorrupt(
            "the warehouse file has been cut off",
            expected=f"{blocks} blocks of {block:,} bytes in {path}",
            found=f"{size:,} bytes",
            next_command="restore the file from a backup, or move it aside and make it anew with `athena run`",
        )
    return f"{tables} tables, {size / 1_000_000:.1f} MB"


def _accounts(workplace: Workplace) -> str:
    with workplace.orders() as connection:
        ((rows, kept, quarantined, wrong),) = connection.execute(
            "SELECT sum(rows_in), sum(rows_kept), sum(rows_quarantined), count(*) FILTER"
            " (WHERE rows_in <> rows_kept + rows_quarantined OR amount_in <> amount_kept + amount_quarantined)"
            " FROM orders.all_accounting"
        ).fetchall()
    if wrong:
        raise AthenaError("rows or money do not add up", expected="0 lines of account", found=f"{wrong} lines")
    return f"{rows:,} rows in = {kept:,} kept + {quarantined:,} quarantined"


def _models(workplace: Workplace) -> str:
    champions = [workplace.registry.champion(spec.name) for spec in workplace.athena.models]
    return ", ".join(f"{champion.name} version {champion.version}" for champion in champions)


def _gate(workplace: Workplace) -> str:
    refuse_unstamped(workplace)
    return "every partition that has rows has been written under it"


def _published(workplace: Workplace) -> str:
    from athena_assets.predictions.published_files import refuse_lost_files
    from athena_assets.predictions.status import status_of

    found, now = [], retailers_now(workplace.source.timezone)
    open_findings = Findings(workplace.settings.home).open()
    for spec in workplace.athena.models:
        with workplace.warehouse.read() as connection:
            folder = workplace.settings.published / "predictions" / spec.name
            night = refuse_lost_files(connection, f"predictions.{spec.name}", folder)
        if night is None:
            raise AthenaError(
                f"{spec.name} has not been published",
                expected=f"rows in predictions.{spec.name}",
                found="none",
                next_command="athena run",
            )
        status = status_of(workplace.settings.published, spec.name, open_findings)
        if status.is_stale:
            raise AthenaError(
                f"the predictions of {spec.name} are stale",
                expected="every delivered night published",
                found=status.sentence(now),
                next_command="athena why",
            )
        found.append(status.sentence(now))
    refuse_outdated_publication(workplace)
    return ", ".join(found)


def _alerts(workplace: Workplace) -> str:
    book = AlertBook(workplace.settings.home)
    if missing := book.undelivered(AlertSink.of(workplace.settings).channels):
        raise AthenaError(
            f"{len(missing)} messages about alerts have not arrived",
            expected="every channel of ATHENA_ALERT_URLS, and monitoring/ in the home, to take them",
            found="; ".join(f"{each.channel} (attempts: {each.failures}): {each.failure}" for each in missing),
            next_command="mend the channel, then athena alerts send",
        )
    return f"{len(book.alerts())} open, every message has arrived"


def _disk(workplace: Workplace) -> str:
    home = workplace.settings.home
    free = shutil.disk_usage(next(folder for folder in (home, *home.parents) if folder.exists())).free
    if free < LEAST_FREE_BYTES:
        raise AthenaError("the disk is almost full", expected="1 GB free", found=f"{free / 1e9:.2f} GB free")
    return f"{free / 1e9:.1f} GB free"
