"""`athena contracts`: what is promised about every table, and the aliases that this home has accepted."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from athena_assets.sources.aliases import AliasRequest, accept_alias, aliases_path, home_version, read_aliases
from athena_cli import contract_changes, contract_pages
from athena_cli.output import console, print_json, print_table
from athena_cli.workplace import here
from checks.compiler import compile_rules
from checks.contract_files import contract_names, load_contract
from resources.settings import load_settings

app = typer.Typer(
    help="The contracts: what there is, what changed, who is affected, and the aliases accepted in this home.",
    rich_markup_mode=None,
)
app.command("diff")(contract_changes.diff)
app.command("pages")(contract_pages.pages)


@app.callback(invoke_without_command=True)
def contracts(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """List every contract: its version in this home, who owns it, who reads the table, how many rules it has."""
    if context.invoked_subcommand is not None:
        return
    listed = _listed()
    if as_json:
        print_json(listed)
        return
    print_table("Contracts", list(listed[0]), [list(each.values()) for each in listed])


def _listed() -> list[dict[str, Any]]:
    accepted = read_aliases(load_settings().home)
    listed = []
    for name in contract_names():
        contract = load_contract(name)
        severities = [rule.severity for rule in compile_rules(contract)]
        listed.append(
            {
                "table": contract.address,
                "version": home_version(name, accepted),
                "owner": contract.owner,
                "consumers": ", ".join(contract.consumers),
                "columns": len(contract.columns),
                # The comparison of names and types stands outside of the compiled rules, and blocks too.
                "blocking rules": severities.count("ERROR") + 1,
                "warning rules": severities.count("WARN"),
                "notice days": contract.notice_days,
            }
        )
    return listed


@app.command("aliases")
def aliases(as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False) -> None:
    """List what has been accepted in this home: which new name, for which column, when, by whom and why."""
    home = load_settings().home
    accepted = read_aliases(home)
    if as_json:
        print_json([each.model_dump(mode="json") for each in accepted])
        return
    if not accepted:
        console.print("no alias has been accepted in this home")
        return
    print_table(
        f"Accepted aliases, {aliases_path(home)}",
        ["when", "table", "new name", "declared name", "by", "reason", "contract"],
        [
            [
                f"{each.accepted_at:%Y-%m-%d %H:%M %Z}",
                each.table,
                each.alias,
                each.declared,
                each.by,
                each.reason,
                f"{each.version_before} -> {each.version}",
            ]
            for each in accepted
        ],
    )


@app.command("accept-alias")
def accept(
    table: Annotated[str, typer.Argument(help="The raw table, for instance raw.orders.")],
    renamed: Annotated[str, typer.Argument(help="NEW_NAME=DECLARED_NAME of a delivered column.")],
    by: Annotated[str, typer.Option(help="Who accepts it: a person's name.")],
    reason: Annotated[str, typer.Option(help="Why the column has a new name, and who said so.")],
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Accept a new name of a delivered column as a contract change of this home; the declared name stays valid."""
    workplace = here()
    request = AliasRequest.parse(table, renamed)
    entry = accept_alias(
        workplace.settings.home, workplace.source, request, by=by, reason=reason, accepted_at=datetime.now(UTC)
    )
    if as_json:
        print_json(entry.model_dump(mode="json"))
        return
    console.print(
        f"{entry.table}: {entry.alias!r} is read as {entry.declared!r} from now on"
        f" (contract {entry.version_before} -> {entry.version} in this home, by {entry.by}: {entry.reason})",
        soft_wrap=True,
    )
    console.print("next: load the refused files again, then run the night")
