"""`athena override`: a named person lets something through for a while; who, why and until when is written down."""

from typing import Annotated

import typer

from athena_assets.errors import InvalidArgument
from athena_cli.clock import utc_now
from athena_cli.output import console, print_json, print_table
from athena_cli.workplace import Workplace, here
from checks import overrides
from checks.overrides import EVERY_CHECK

app = typer.Typer(help="Let something through that a check refuses: who, why, what, until when.", no_args_is_help=True)


@app.command("grant")
def grant(
    asset: Annotated[str, typer.Argument(help="Table that is let through, schema.table.")],
    partition: Annotated[str, typer.Argument(help="Night or month; '' for a table without partitions.")],
    by: Annotated[str, typer.Option("--by", help="Who decides.")],
    reason: Annotated[str, typer.Option(help="Why it is safe to read.")],
    to: Annotated[str | None, typer.Option(help="Last night of a range.")] = None,
    check: Annotated[str, typer.Option(help="One check, for instance completeness; default: every one.")] = EVERY_CHECK,
    hours: Annotated[float, typer.Option(help="How long it holds, at most 168.")] = 12.0,
) -> None:
    """Let readers of a partition compute although its checks have not passed."""
    workplace, lasting = here(), overrides.lasting_hours(hours)
    _need_checks(workplace, asset, check)
    first, last = (_partition(workplace, asset, end) for end in (partition, to or partition))
    with workplace.warehouse.write() as connection:
        override = overrides.grant(
            connection,
            asset=asset,
            first_partition=first,
            last_partition=last,
            check=check,
            person=by,
            reason=reason,
            at=utc_now(),
            lasting=lasting,
        )
    console.print(f"{asset} {first}: {override.sentence()}", soft_wrap=True)


@app.command("revoke")
def revoke(
    number: Annotated[int, typer.Argument(help="Number of the override.")],
    by: Annotated[str, typer.Option("--by", help="Who ends it.")],
) -> None:
    """End an override now."""
    with here().warehouse.write() as connection:
        overrides.revoke(connection, number, person=by, at=utc_now())
    console.print(f"override {number} ended by {by}")


@app.command("list")
def list_overrides(
    every: Annotated[bool, typer.Option("--all", help="Those that have ended, too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Live overrides, and how often each was relied on."""
    with here().warehouse.read() as connection:
        found = overrides.every(connection) if every else overrides.live(connection, at=utc_now())
        uses = overrides.uses(connection)
    if as_json:
        print_json([{**each.__dict__, "uses": uses.get(each.id, 0)} for each in found])
        return
    print_table(
        "Overrides",
        ["number", "table", "from", "to", "check", "by", "reason", "until (UTC)", "ended by", "used"],
        [
            [
                each.id,
                each.asset,
                each.first_partition,
                each.last_partition,
                each.check,
                each.person,
                each.reason,
                f"{each.revoked_at or each.expires_at:%Y-%m-%d %H:%M}",
                each.revoked_by or "",
                uses.get(each.id, 0),
            ]
            for each in found
        ],
    )


def _need_checks(workplace: Workplace, asset: str, check: str) -> None:
    """Refuse an override of what has no such blocking check; raises `InvalidArgument`."""
    graph = workplace.athena.definitions.resolve_asset_graph()
    known = {
        (".".join(key.asset_key.path), key.name) for key in graph.asset_check_keys if graph.get_check_spec(key).blocking
    }
    if asset not in {name for name, _ in known}:
        raise InvalidArgument(
            f"{asset} has no blocking check to override",
            expected=", ".join(sorted({name for name, _ in known})),
            found=asset,
        )
    if check != EVERY_CHECK and (asset, check) not in known:
        raise InvalidArgument(
            f"{asset} has no blocking check {check}",
            expected=", ".join(sorted(name for table, name in known if table == asset)),
            found=check,
        )


def _partition(workplace: Workplace, asset: str, partition: str) -> str:
    """The key of a partition that begins or ends a scope; raises `InvalidArgument` unless there is one of that name.

    Keys are compared as text: one like "9" would let every night through that there will ever be.
    """
    from checks.needs import GatePlan
    from checks.partition_names import key_named

    plan = GatePlan(workplace.athena.definitions.resolve_asset_graph())
    key = key_named(plan.partitions_of(asset), partition)
    if not plan.has_partition(asset, key):
        raise InvalidArgument(
            f"{asset} has no partition {partition!r}",
            expected="a night or month that has been delivered, or '' for a table without partitions",
            found=partition or "''",
        )
    return key
