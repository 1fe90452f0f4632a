"""`athena plan`: a dry run before a backfill, a contract change or a promotion, which writes nothing."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer

from athena_assets.errors import InvalidArgument
from athena_assets.impact import Impact, impact_graph
from athena_assets.lifecycle.model_spec import find_model
from athena_assets.nights import Night
from athena_assets.planning.contract_change import ContractPlan, plan_contract
from athena_assets.planning.minutes import Minutes
from athena_assets.planning.nights import plan_nights
from athena_assets.planning.promotion import plan_promotion
from athena_cli import plan_shown
from athena_cli.clock import retailers_now
from athena_cli.contract_changes import impacts_of
from athena_cli.output import doing, print_json
from athena_cli.workplace import Workplace, here

app = typer.Typer(
    help="What a backfill, a contract change or a promotion would do; nothing is written. Exit code 1 where something"
    " would refuse.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Json = Annotated[bool, typer.Option("--json", help="For a program.")]


@app.command("nights")
def nights(
    first: Annotated[str, typer.Argument(help="First night, YYYY-MM-DD.")],
    last: Annotated[str | None, typer.Argument(help="Last night; default: the first.")] = None,
    current: Annotated[
        bool, typer.Option("--current", help="As of `athena night --current`: today's model, features and contracts.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Say what running nights again would touch, what would refuse them, and how predictions would differ."""
    workplace = here()
    begin = Night.parse(first)
    end = Night.parse(last) if last is not None else begin
    _need_home(workplace)
    with doing(f"planning the nights {begin.key} to {end.key}"):
        now = retailers_now(workplace.source.timezone)
        plan = plan_nights(workplace.athena, begin, end, current=current, at=_now(), now=now)
    if as_json:
        measured = {"partitions": plan.partitions, "minutes": _minutes(plan.minutes)}
        print_json({"goes_through": plan.goes_through, **asdict(plan), **measured})
    else:
        plan_shown.show_nights(plan)
    _end(plan.goes_through)


@app.command("contract")
def contract(
    file: Annotated[Path, typer.Argument(help="The changed contract file, SCHEMA.TABLE.odcs.yaml.")],
    most: Annotated[
        int, typer.Option("--nights", min=1, help="How many of the latest stored partitions are evaluated.")
    ] = 60,
    as_json: Json = False,
) -> None:
    """Say what a changed contract would refuse of what is stored, which verdicts it voids, and whom it reaches."""
    workplace = here()
    _need_home(workplace)
    with doing(f"planning {file.name}"):
        plan = plan_contract(workplace.athena, file, most=most)
        impacts = _reached(workplace, plan)
    if as_json:
        print_json(_contract_document(plan, impacts))
    else:
        plan_shown.show_contract(plan, impacts, most)
    _end(plan.goes_through)


@app.command("promote")
def promote(
    model: Annotated[str, typer.Argument(help="The model.")],
    version: Annotated[str, typer.Argument(help="The version (athena models MODEL lists them).")],
    as_json: Json = False,
) -> None:
    """Say where a version stands, whether it passed its gate, and what readers of the latest night would see of it."""
    workplace = here()
    spec = find_model(model)
    _need_home(workplace)
    with doing(f"planning the promotion of {model} version {version}"):
        plan = plan_promotion(workplace.athena, spec, version)
    if as_json:
        print_json({"goes_through": plan.goes_through, **asdict(plan), "minutes": _minutes(plan.minutes)})
    else:
        plan_shown.show_promotion(plan)
    _end(plan.goes_through)


def _need_home(workplace: Workplace) -> None:
    """Raise `NoHome` where nothing has been landed, and `InvalidArgument` where nothing has been delivered."""
    if workplace.retailer.last_delivered is None:
        raise InvalidArgument(
            "nothing has been delivered, so there is nothing to plan",
            expected="a delivery",
            found="none",
            next_command="athena load FILES",
        )


def _reached(workplace: Workplace, plan: ContractPlan) -> Sequence[Impact]:
    if not plan.diff.changes:
        return []
    with _copy_of(workplace.settings.cache) as cache:
        return impacts_of(impact_graph(workplace.source, cache=cache), plan.diff)


@contextmanager
def _copy_of(cache: Path) -> Iterator[Path]:
    """A copy of the cache to read and to write into, because a dry run leaves not even a cached answer behind."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "cache"
        if cache.is_dir():
            shutil.copytree(cache, copy)
        yield copy


def _contract_document(plan: ContractPlan, impacts: Sequence[Impact]) -> dict[str, Any]:
    diff = plan.diff
    return {
        "goes_through": plan.goes_through,
        "contract": plan.contract,
        "old_version": diff.old.version if diff.old is not None else None,
        "new_version": diff.new.version if diff.new is not None else None,
        "changes": [asdict(change) for change in diff.changes],
        "unannounced": plan.unannounced,
        "tables": [{**asdict(table), "minutes": _minutes(table.minutes)} for table in plan.tables],
        "renew": plan.renew,
        "affects": [asdict(impact) for impact in impacts],
        "owners": sorted({owner for impact in impacts for owner in impact.owners}),
    }


def _minutes(minutes: Minutes) -> dict[str, Any]:
    return {**asdict(minutes), "minutes": minutes.minutes}


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def _end(goes_through: bool) -> None:
    if not goes_through:
        raise typer.Exit(1)
