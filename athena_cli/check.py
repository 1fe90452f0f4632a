"""`athena check`: evaluates the checks of a table again, without computing it again."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from athena_assets.errors import InvalidArgument
from athena_cli.output import console, doing, print_json
from athena_cli.standing import refuse_unstamped
from athena_cli.workplace import Workplace, here
from resources.orchestrator import RunFailed


def check(
    asset: Annotated[str | None, typer.Argument(help="Table, schema.table; none with --outdated.")] = None,
    partition: Annotated[
        str | None, typer.Argument(help="Night or month; default: the last that has been written.")
    ] = None,
    to: Annotated[str | None, typer.Option(help="Last night of a range that begins with the given one.")] = None,
    outdated: Annotated[
        bool, typer.Option("--outdated", help="Everything that has no verdict, or one by other rules than today's.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Evaluate checks again on what is in the warehouse. Exit code 1 when a blocking one fails."""
    workplace = here()
    if outdated == (asset is not None):
        raise InvalidArgument(
            "what is to be checked?",
            expected="a table, or --outdated",
            found="both" if outdated else "neither",
            next_command="athena check --outdated",
        )
    spans = outdated_spans(workplace) if asset is None else [_span(workplace, asset, partition, to)]
    failed = _evaluate(workplace, spans)
    if as_json:
        print_json({"checked": [_start(span) for span in spans], "failed": [_start(span) for span in failed]})
    if failed:
        raise _joined(failed)
    if outdated:
        refuse_unstamped(workplace)
    if not as_json:
        console.print(f"{len(spans)} checked, no blocking check failed" if spans else "every verdict is up to date")


Span = tuple[str, str | None, str | None]
"""Table, first and last partition."""


def _start(span: Span) -> str:
    return f"{span[0]} {span[1] or ''}".strip()


def _evaluate(workplace: Workplace, spans: Sequence[Span]) -> dict[Span, RunFailed]:
    """Judge every stretch, also after one that fails: what it says of the others is wanted all the same."""
    failed = {}
    for address, first, last in spans:
        shown = f"{address} {first or ''}{f' to {last}' if last != first else ''}".strip()
        try:
            with doing(f"checking {shown}"):
                workplace.orchestrator.check(address, first, last)
        except RunFailed as error:
            failed[(address, first, last)] = error
    return failed


def _joined(failed: Mapping[Span, RunFailed]) -> RunFailed:
    """One error of all; the one where there is one."""
    first, *others = failed.values()
    if not others:
        return first
    return RunFailed(
        f"{len(failed)} of the tables checked did not pass",
        expected=first.expected,
        found="\n            ".join(error.found or error.what for error in failed.values()),
        next_command=first.next_command,
    )


def outdated_spans(workplace: Workplace) -> list[Span]:
    """Every written partition whose blocking checks were not judged by today's rules, in stretches, upstream first."""
    from checks.gaps import find_gaps
    from checks.needs import GatePlan
    from checks.verdicts import has_gate

    plan = GatePlan(workplace.athena.definitions.resolve_asset_graph())
    with workplace.warehouse.read() as connection:
        if not has_gate(connection):
            return []
        written = connection.execute("SELECT asset, partition FROM gate.materialisation ORDER BY asset, partition")
        needs = plan.own(written.fetchall())
        gaps = [gap for gap in find_gaps(connection, needs) if gap.state != "failed"]
    order = {address: number for number, address in enumerate(plan.addresses)}
    missing: dict[str, list[str]] = {}
    for gap in gaps:
        missing.setdefault(gap.asset, []).append(gap.partition)
    spans: list[Span] = []
    for address in sorted(missing, key=lambda name: order[name]):
        for run in plan.stretches(address, set(missing[address])):
            spans.append((address, run[0] or None, run[-1] or None))
    return spans


def _span(workplace: Workplace, asset: str, partition: str | None, to: str | None) -> Span:
    """The table and partitions that are meant; raises `InvalidArgument` where nothing has been written."""
    rows = workplace.ask(
        "SELECT partition FROM gate.materialisation"
        f" WHERE asset = '{asset.replace(chr(39), chr(39) * 2)}' ORDER BY partition"
    )
    written = [str(row[0]) for row in rows]
    first, last = (_key(workplace, asset, end) for end in (partition, to))
    for end in (first, last):
        if not written or (end is not None and end not in written):
            refuse_unstamped(workplace)
            raise InvalidArgument(
                f"{asset} {end or ''} has not been written".replace("  ", " "),
                expected="a table that has been written" if not written else f"{written[0]} to {written[-1]}",
                found=end or asset,
                next_command="athena run" if not written else f"athena check {asset} {written[-1]}",
            )
    first = first or written[-1]
    return asset, first or None, (last or first) or None


def _key(workplace: Workplace, asset: str, partition: str | None) -> str | None:
    """The key of a partition as a person names it; of a table that is no longer there it is what was said."""
    from checks.needs import GatePlan
    from checks.partition_names import key_named

    plan = GatePlan(workplace.athena.definitions.resolve_asset_graph())
    if partition is None or asset not in plan.addresses:
        return partition
    return key_named(plan.partitions_of(asset), partition)
