"""What a fault is: something that goes wrong, where, who must notice, and how the one responsible puts it right."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import duckdb

if TYPE_CHECKING:
    from tests.conftest import Answer, Command

Kind = Literal[
    "schema", "completeness", "duplication", "values", "relations", "distribution", "computed", "environment"
]
Stage = Literal["delivery", "raw", "clean", "features", "scores", "publication", "machine"]
Form = Literal["lines", "tables"]
"""The two shops: order lines as CSV in the form of Online Retail II, or six Parquet tables with their own times."""


@dataclass(frozen=True)
class Scene:
    """One shop before the night on which something goes wrong: a copy of a template home, which stays untouched."""

    template: Path
    folder: Path
    night: str
    run: "Command"

    @property
    def home(self) -> Path:
        """ATHENA_HOME."""
        return self.folder / ".athena"

    def delivered(self, night: str | None = None) -> Path:
        """The files of a night, tonight's unless another is named."""
        return self.folder / "delivered" / (night or self.night)

    def athena(self, *arguments: object) -> "Answer":
        """`athena <arguments>` on the home."""
        return self.run(self.home, *arguments)

    def restored(self, *parts: str) -> None:
        """Put a file or folder of the template back, as a backup or a supplier would."""
        kept, place = self.template.joinpath(*parts), self.folder.joinpath(*parts)
        if kept.is_file():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(kept, place)
            return
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(kept, place)


def night_as_usual(scene: Scene) -> "Answer":
    """The delivery is registered and its night is run, whatever came of the delivery: the schedule does not ask."""
    loaded = scene.athena("load", "--night", scene.night, scene.delivered())
    night = scene.athena("night", scene.night)
    return loaded if loaded.code else night


def right_files(scene: Scene) -> None:
    """The supplier puts the right files of the night where the wrong ones were."""
    scene.restored("delivered", scene.night)


def nothing_to_mend(scene: Scene) -> None:
    """What was wrong has passed, or the printed command mends it by itself."""


@dataclass(frozen=True)
class Fault:
    """One way in which a night goes wrong, or, where it is `harmless`, only looks as if it did."""

    name: str
    kind: Kind
    stage: Stage
    does: str
    """What goes wrong, as a row of docs/faults.md says it."""
    form: Form
    caught_by: tuple[str, ...]
    """What the alert names: a rule (`raw.order_lines: quantity.minimum`) or an error; nothing for a harmless change."""
    spoil: Callable[[Path], None] | None = None
    """Changes the night's files, in the folder given, before they are registered."""
    provoke: Callable[[Scene], "Answer"] = night_as_usual
    """Runs the night on which it happens; returns what the command said that met it."""
    mend: Callable[[Scene], None] = right_files
    """What a person does before the printed command."""
    mended_by: str = "the supplier puts the right file in its place"
    blocks: bool = True
    """Whether the night must not be published; a fault that only informs leaves its bad rows in quarantine."""
    stops: bool = True
    """Whether the command that meets it fails."""
    nights: int = 1
    """How many nights have been run when it is mended: a late delivery is noticed by the night after it."""
    changes_scores: bool = False
    """Of a harmless change: whether other orders than those of the clean run were delivered, or other features made."""
    races: bool = False
    """Whether it is chance which of two processes has to wait, and perhaps says so."""
    own_disk: bool = False
    """Whether it needs a disk that it may spoil (disk.py)."""

    @property
    def harmless(self) -> bool:
        """Whether the night must pass without an alert."""
        return not self.caught_by


def rewritten(**queries: str) -> Callable[[Path], None]:
    """Replaces delivered tables, each by a query over itself (`delivered`) and the others (by name), as they came.

    Format and order of the rows stay what they were.
    """

    def spoil(folder: Path) -> None:
        paths = {path.stem: path for path in sorted(folder.iterdir())}
        for written in [_written(paths[table], query) for table, query in queries.items()]:
            written.replace(written.with_name(written.name.removeprefix(".")))

    return spoil


def _written(path: Path, query: str) -> Path:
    """The answer of a query over a file (`delivered`) and the other tables of its folder (by name), beside the file."""
    with duckdb.connect(config={"threads": 1}) as connection:
        for other in sorted(path.parent.glob("[!.]*")):
            connection.execute(f'CREATE TABLE "{other.stem}" AS SELECT * FROM {_scan(other)}')
        connection.execute(f'CREATE VIEW delivered AS SELECT * FROM "{path.stem}"')
        form = "(HEADER)" if path.suffix == ".csv" else "(FORMAT parquet)"
        written = path.with_name(f".{path.name}")
        connection.execute(f"COPY ({query}) TO '{written}' {form}")
    return written


def changed_text(table: str, change: Callable[[str], str | bytes]) -> Callable[[Path], None]:
    """Replaces a delivered text file by what `change` makes of its text."""

    def spoil(folder: Path) -> None:
        path = folder / f"{table}.csv"
        text = change(path.read_text(encoding="utf-8"))
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    return spoil


def _scan(path: Path) -> str:
    return f"read_csv('{path}', all_varchar = true)" if path.suffix == ".csv" else f"read_parquet('{path}')"
