"""`athena replay`: an incident of the book on a small retailer of its own, measured without and with Athena."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from athena_assets.errors import InvalidArgument
from athena_cli.output import console, print_json, print_table

POST_MORTEM = "post-mortem.md"

app = typer.Typer(help="Incidents of the book, replayed on a small retailer of their own.", rich_markup_mode=None)


@app.callback()
def replay() -> None:
    """Nothing by itself: an incident is a command, so that `athena replay` lists them."""


@app.command("rename")
def rename(
    keep: Annotated[
        Path | None, typer.Option(help="Folder to keep deliveries, home and post-mortem in; absent or empty.")
    ] = None,
    customers: Annotated[
        int, typer.Option(help="Customers of the retailer; too few, and its model gate fails.")
    ] = 2_000,
    seed: Annotated[int, typer.Option(help="Another seed is another retailer.")] = 20_261_031,
    as_json: Annotated[bool, typer.Option("--json", help="For a program.")] = False,
) -> None:
    """Replay the renamed column: a pipeline that goes on with null, and Athena, on the same deliveries."""
    from athena_assets.incidents.post_mortem import post_mortem
    from athena_assets.incidents.record import as_document
    from athena_assets.incidents.side_by_side import side_by_side
    from athena_cli.rename_incident import play

    with _folder(keep) as folder:
        incident = play(folder, customers=customers, seed=seed)
    text = post_mortem(incident)
    path = _written(text, keep)
    if as_json:
        print_json({**as_document(incident), "post_mortem": path})
        return
    print_table("The renamed column, replayed", ["", "the book", "naive pipeline", "Athena"], side_by_side(incident))
    console.print(text, soft_wrap=True)
    console.print(f"post-mortem: {path}", soft_wrap=True)
    if keep is not None:
        console.print(f"deliveries and home: {keep.absolute()}", soft_wrap=True)


def _written(text: str, keep: Path | None) -> Path:
    """The file that holds the post-mortem: in the folder that is kept, or one that outlives the temporary folder."""
    if keep is not None:
        path = keep.absolute() / POST_MORTEM
        path.write_text(text, encoding="utf-8")
        return path
    with tempfile.NamedTemporaryFile(
        "w", encoding="utf-8", prefix="athena-", suffix=f"-{POST_MORTEM}", delete=False
    ) as file:
        file.write(text)
    return Path(file.name)


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    """The folder to play in: the one to keep, or a temporary one that is gone afterwards."""
    if keep is None:
        with tempfile.TemporaryDirectory(prefix="athena-replay-") as name:
            yield Path(name)
        return
    folder = keep.absolute()
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidArgument(
            f"the replay does not write into {folder}",
            expected="a folder that is absent or empty",
            found="a file" if not folder.is_dir() else "files in it",
            next_command="name another folder",
        )
    folder.mkdir(parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder / "simulator", ignore_errors=True)
