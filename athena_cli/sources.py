"""`athena load`: what a retailer delivered, into the landing zone of its home."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from athena_assets.atomic import replace_text
from athena_assets.errors import InvalidArgument
from athena_assets.nights import Night
from athena_assets.orders.preview import preview
from athena_assets.sources.aliases import source_of_home
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.errors import AlreadyDelivered, ClockBehind, UnknownSource
from athena_assets.sources.landing import Landing
from athena_assets.sources.source import Source, mapped_source
from athena_cli.clock import retailers_now
from athena_cli.output import console, print_json, print_table
from athena_cli.refusals import load_again, refusals_in_full
from athena_cli.replacing import (
    end_overrides,
    kind_and_night,
    may_begin_anew,
    next_commands,
    nights_outdated,
    replaced_delivery,
)
from resources.home import HomeRecord, home_of, parking_place, read_home, write_home
from resources.settings import Settings, load_settings

BACK_IN_AUTUMN = timedelta(hours=1)
"""By how much the wall clock may honestly stand before a moment of the past: the hour that comes twice."""


def load(
    files: Annotated[list[Path], typer.Argument(help="Files of one delivery: xlsx, csv or parquet, or a folder.")],
    source: Annotated[str | None, typer.Option(help="Source that delivered them; default: the home's.")] = None,
    mapping: Annotated[Path | None, typer.Option(help="Mapping YAML that declares a source of your own.")] = None,
    night: Annotated[str | None, typer.Option(help="The night of a nightly delivery, YYYY-MM-DD.")] = None,
    first_night: Annotated[
        str | None, typer.Option(help="First night to run as a night; default: the last one of a bulk file.")
    ] = None,
    replaces: Annotated[
        str | None, typer.Option(help="Id of a wrong delivery, in whose place these files come (athena deliveries).")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say what would happen, write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Register a delivery, or with --check say what would be kept, quarantined or refused."""
    settings = load_settings()
    declared = declared_source(settings, source, mapping)
    with refusals_in_full(settings, declared, load_again(files, night, replaces)):
        if check:
            _preview(settings, declared, files, night, replaces, as_json)
            return
        landed = register_files(
            settings, declared, files, night=night, first_night=first_night, mapping=mapping, replaces=replaces
        )
    ended = end_overrides(settings, landed.delivery, "athena load --replaces") if replaces is not None else []
    if as_json:
        print_json(landed.delivery.model_dump(mode="json"))
        return
    if landed.taken:
        console.print(landed.taken)
    for line in (described(landed.delivery), *landed.delivery.unread_columns):
        console.print(line, soft_wrap=True)
    if replaces is not None:
        for line in (f"it stands in the place of {replaces}", *ended):
            console.print(line, soft_wrap=True)
    if replaces is not None or nights_outdated(settings):
        console.print(f"next: {next_commands(settings, landed.delivery)}", soft_wrap=True)


def declared_source(settings: Settings, name: str | None, mapping: Path | None) -> Source:
    """The source that a command means: its mapping, its name, or the home's own.

    Raises `InvalidArgument` for a name that no source has.
    """
    record = read_home(settings.home)
    chosen = mapped_source(mapping).name if mapping is not None else name or (record.source if record else None)
    if chosen is None:
        raise InvalidArgument(
            "which source delivered these files?",
            expected="--source or --mapping, because this home has no source yet",
            found="neither",
            next_command="athena load --source online_retail_ii FILE",
        )
    own = record is not None and record.source == chosen
    try:
        return source_of_home(settings.home if own else parking_place(settings.home, chosen), chosen, mapping)
    except UnknownSource as error:
        if own:
            raise
        raise InvalidArgument(
            error.what, expected=error.expected, found=error.found, next_command=error.next_command
        ) from None


class Landed(NamedTuple):
    """One delivery in the home of its source."""

    delivery: Delivery
    taken: str | None
    """What became of another retailer's home, in words."""
    new: bool
    """False for a delivery that was registered before."""


def register_files(
    settings: Settings,
    source: Source,
    files: list[Path],
    *,
    night: str | None = None,
    first_night: str | None = None,
    mapping: Path | None = None,
    replaces: str | None = None,
    known_ok: bool = False,
) -> Landed:
    """Register one delivery in the source's home, which another retailer's makes room for.

    replaces: id of the delivery that it replaces; `night` may then be left out.
    known_ok: a delivery that the home has already is returned, and the home stays taken; else it is an error
    (`AlreadyDelivered`), and the other retailer's home is put back.
    """
    home, now = settings.home, retailers_now(source.timezone)
    landing = Landing.of(home)
    said, first = (Night.parse(day) if day is not None else None for day in (night, first_night))
    _refuse_clock_behind(landing, source, now)
    if said is not None and said.as_of > now:
        raise InvalidArgument(
            f"the night {said.key} is not over yet",
            expected=f"a night up to {Night.of_as_of(now).key}, yesterday by the retailer's clock",
            found=said.key,
            next_command=f"load it once it is over, or name the night that {files[0].name} is of",
        )
    with home_of(home, source.name) as taken:
        replaced = replaced_delivery(landing, replaces) if replaces is not None else None
        kind, of_night = kind_and_night(said, replaced)
        anew = may_begin_anew(settings, landing, kind, replaced)
        new = True
        try:
            delivery = landing.register(
                source, files, kind=kind, registered_at=now, last_night=of_night, replaces=replaces
            )
        except AlreadyDelivered as error:
            # Without a record, a command was stopped after the manifest: the record is all that is missing.
            new = read_home(home) is None
            if not new and not known_ok:
                raise
            (delivery,) = [d for d in landing.deliveries(source.name) if d.delivery_id == error.delivery_id]
        if mapping is not None:
            kept = home / "mappings" / f"{source.name}.yaml"
            kept.parent.mkdir(parents=True, exist_ok=True)
            replace_text(kept, mapping.read_text(encoding="utf-8"))
        record = read_home(home)
        if record is None:
            write_home(home, HomeRecord(source.name, _first_night(delivery, first)))
        elif anew and new and (first is not None or replaced is None or record.first_night == replaced.last_night):
            write_home(home, replace(record, first_night=_first_night(delivery, first)))
    return Landed(delivery, taken, new)


def _refuse_clock_behind(landing: Landing, source: Source, now: datetime) -> None:
    """Refuse to register anything while the clock stands before the last registration; raises `ClockBehind`."""
    registered = [delivery.registered_at for delivery in landing.deliveries(source.name)]
    if registered and now < max(registered) - BACK_IN_AUTUMN:
        raise ClockBehind(
            "the clock of this machine stands before the last delivery was registered",
            expected=f"a moment after {max(registered):%Y-%m-%d %H:%M}",
            found=f"{now:%Y-%m-%d %H:%M}",
            next_command="set the clock, then run the same command again",
        )


def _first_night(delivery: Delivery, wanted: Night | None) -> date:
    """The first night of a home that begins with a delivery; raises `InvalidArgument` for one far from it."""
    if wanted is None:
        return delivery.last_night
    if not delivery.first_night <= wanted.day <= Night(delivery.last_night).plus(1).day:
        raise InvalidArgument(
            f"{wanted.key} cannot be the first night",
            expected=f"a night of the delivery, {delivery.first_night} to {delivery.last_night}, or the one after it",
            found=wanted.key,
            next_command="leave --first-night out for the last night of the delivery",
        )
    return wanted.day


def described(delivery: Delivery) -> str:
    """A delivery that has been landed, in one line."""
    rows, landed = sum(file.rows for file in delivery.files), sum(file.rows_to_land for file in delivery.files)
    own = f", {landed:,} of them of the night itself" if landed != rows else ""
    days = f"{delivery.first_night} to {delivery.last_night}" if delivery.kind == "bulk" else f"{delivery.last_night}"
    return (
        f"landed {delivery.kind} delivery {delivery.delivery_id}: {days}, {rows:,} rows in {len(delivery.files)} files"
        f"{own}"
    )


def _preview(
    settings: Settings, source: Source, files: list[Path], night: str | None, replaces: str | None, as_json: bool
) -> None:
    landing = Landing.of(settings.home)
    replaced = replaced_delivery(landing, replaces) if replaces is not None else None
    kind, of_night = kind_and_night(Night.parse(night) if night is not None else None, replaced)
    found = preview(
        source,
        files,
        kind=kind,
        registered_at=retailers_now(source.timezone),
        landing=landing,
        last_night=of_night,
        replaces=replaces,
    )
    if as_json:
        print_json(found.as_json())
        return
    print_table(
        f"{source.name}: nights {found.first_night} to {found.last_night}, nothing written",
        ["", "rows", f"money of order lines, {found.currency}"],
        [
            ["would come in", found.rows_in, found.amount_in],
            ["would be kept", found.rows_kept, found.amount_kept],
            ["would be quarantined", found.rows_quarantined, found.amount_quarantined],
        ],
    )
    print_table(
        "by rule",
        ["table", "rule", "kept", "rows", "money", "why"],
        [[each.table, each.code, each.kept, each.rows, each.amount, each.reason] for each in found.reasons],
    )
    for line in found.unread_columns:
        console.print(line, soft_wrap=True)
