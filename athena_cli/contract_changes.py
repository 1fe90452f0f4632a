"""`athena contracts diff`: what changed in the contracts, whom it reaches, and whether they were told in time."""

from dataclasses import asdict
from typing import Annotated, Any

import typer

from athena_assets.contracts import tables_of_contract
from athena_assets.errors import InvalidArgument
from athena_assets.impact import Impact, ImpactGraph, impact_graph
from athena_assets.sources.source import source_named
from athena_cli.output import console, print_json
from checks.contract_diff import ContractDiff, changed_columns, diff_contracts
from checks.contract_files import CONTRACTS
from checks.contract_versions import base_revision, contracts_at
from resources.settings import load_settings

EVERY_TABLE = "simulator"
"""The shipped source that delivers every table, so that whatever a contract is about has something downstream."""


def diff(
    old: Annotated[str | None, typer.Argument(help="Contract file, folder of contracts, or git revision.")] = None,
    new: Annotated[str | None, typer.Argument(help="The same; default: the contracts of this checkout.")] = None,
    since: Annotated[
        str | None, typer.Option(help="Git revision to compare with; default: where this branch began.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Compare two versions of the contracts. Exit code 1 for a breaking change that was not announced in time."""
    if old is not None and since is not None:
        raise InvalidArgument("what is compared with what?", expected="OLD NEW, or --since", found="both")
    base = old or since or base_revision()
    if base is None:
        # Nothing was promised before, as far as a shallow clone can see: said, and not a failure.
        if as_json:
            print_json({"compared_with": None, "contracts": []})
        else:
            console.print("no earlier revision of the contracts is at hand: nothing to compare with")
        return
    diffs = diff_contracts(contracts_at(base), contracts_at(new or str(CONTRACTS)))
    reached = _downstream(diffs)
    if as_json:
        print_json({"compared_with": base, "contracts": [_as_json(each, reached.get(each.name, [])) for each in diffs]})
    else:
        _tell(base, diffs, reached)
    if any(each.unannounced() for each in diffs):
        raise typer.Exit(1)


def _downstream(diffs: tuple[ContractDiff, ...]) -> dict[str, list[Impact]]:
    """What the breaking changes of each contract reach."""
    breaking = [each for each in diffs if each.breaking]
    if not breaking:
        return {}
    settings = load_settings()
    graph = impact_graph(source_named(EVERY_TABLE), cache=settings.cache if settings.home.is_dir() else None)
    return {each.name: impacts_of(graph, each) for each in breaking}


def impacts_of(graph: ImpactGraph, diff: ContractDiff) -> list[Impact]:
    columns = changed_columns(diff)
    impacts = []
    for table in tables_of_contract(diff.name, [spec.name for spec in graph.models]):
        if table in graph.contracts:
            known = {column.name for column in graph.contracts[table].columns}
            impacts.append(graph.of(table, columns if columns and known.issuperset(columns) else None))
    return impacts


def _tell(base: str, diffs: tuple[ContractDiff, ...], reached: dict[str, list[Impact]]) -> None:
    if not diffs:
        _say(f"the contracts are those of {base}")
    for each in diffs:
        versions = [contract.version if contract is not None else "none" for contract in (each.old, each.new)]
        _say(f"{each.name} {' -> '.join(versions)}")
        for change in each.changes:
            _say(f"  {'breaking' if change.breaking else 'harmless'}  {change.what}")
        for impact in reached.get(each.name, []):
            for line in impact.lines():
                _say(f"  affects   {line}")
        if missing := each.unannounced():
            _say(f"  refused   not announced: needs {missing}")
        elif each.breaking:
            _say("  announced in time")


def _say(line: str) -> None:
    console.print(line, soft_wrap=True)


def _as_json(diff: ContractDiff, impacts: list[Impact]) -> dict[str, Any]:
    return {
        "contract": diff.name,
        "old_version": diff.old.version if diff.old is not None else None,
        "new_version": diff.new.version if diff.new is not None else None,
        "changes": [asdict(change) for change in diff.changes],
        "affects": [asdict(impact) for impact in impacts],
        "owners": sorted({owner for impact in impacts for owner in impact.owners}),
        "unannounced": diff.unannounced(),
    }
