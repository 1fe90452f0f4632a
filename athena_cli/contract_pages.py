"""`athena contracts pages`: docs/contracts/, a page per contract and their index, made from the contracts."""

from pathlib import Path
from typing import Annotated

import typer

from athena_assets.atomic import replace_text
from athena_assets.contracts import documented_contracts, tables_of_contract
from athena_assets.features.base_table import load_bases
from athena_assets.features.compiler import CONTEXT
from athena_assets.features.feature_set import load_feature_set
from athena_assets.lifecycle.model_spec import model_names
from athena_cli.output import console
from checks.contract_files import CONTRACTS
from checks.contract_page import contract_page, index_page

DOCS = CONTRACTS.parent.parent / "docs" / "contracts"


def pages(
    folder: Annotated[Path, typer.Option(help="Folder to write to; pages of contracts that are gone go too.")] = DOCS,
) -> None:
    """Make docs/contracts/ anew: a page per contract, and their index."""
    made = contract_pages()
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.md"):
        if left.name not in made:
            left.unlink()
    for name, text in made.items():
        replace_text(folder / name, text)
    console.print(f"{len(made)} pages in {folder}")


def contract_pages() -> dict[str, str]:
    """Text of every page by its file name. Features are those of a retailer who delivers every table."""
    tables = [table for table in load_bases() if table != CONTEXT]
    contracts = documented_contracts(load_feature_set(tables, business_country="any"))
    models = model_names()
    made = {
        f"{name}.md": contract_page(name, contract, tables_of_contract(name, models))
        for name, contract in contracts.items()
    }
    return made | {"index.md": index_page(contracts)}
