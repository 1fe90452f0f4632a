"""The manifest of a delivery: which files came, for which nights, with what in them."""

import hashlib
import shlex
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from athena_assets.nights import Night
from athena_assets.sources.errors import ManifestDamaged
from athena_assets.sources.source import DeliveredAs, DeliveryKind


class DeliveredFile(BaseModel):
    """One file of a delivery.

    `amount` is the exact sum of its rows' money. `read_from` is the conversion that is read in the
    file's place (xlsx, other encodings), relative to the landing zone, with `read_sha256`; None where the
    file is read as it came. `rows_before` counts the rows of the table's earlier files in the delivery.
    `rows_of_night` and `amount_of_night` are there for a nightly full extract: of all that it holds, what is the
    night's own and therefore landed.
    `undeclared_columns` are those that nobody declared and nothing reads.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    table: str
    path: str
    sha256: str
    rows: int
    rows_before: int
    unparsed_rows: int
    amount: Decimal
    read_from: str | None = None
    read_sha256: str | None = None
    rows_of_night: int | None = None
    amount_of_night: Decimal | None = None
    undeclared_columns: tuple[str, ...] = ()

    @property
    def rows_to_land(self) -> int:
        """Rows that the delivery's nights must have once they have run."""
        return self.rows if self.rows_of_night is None else self.rows_of_night

    @property
    def amount_to_land(self) -> Decimal:
        """The money of those rows."""
        return self.amount if self.amount_of_night is None else self.amount_of_night


class Delivery(BaseModel):
    """One delivery, as its manifest states it. Nights are inclusive.

    `replaces` is the id of the delivery in whose place it came.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    delivery_id: str
    source: str
    kind: DeliveryKind
    first_night: date
    last_night: date
    registered_at: datetime
    files: tuple[DeliveredFile, ...]
    replaces: str | None = None

    @property
    def rows(self) -> int:
        """Rows of all its files."""
        return sum(file.rows for file in self.files)

    def replacing_command(self, files: Sequence[Path | str]) -> str:
        """The command that puts corrected files in its place, as one types it."""
        night = f" --night {self.last_night}" if self.kind == "nightly" else ""
        return f"athena load{night} --replaces {self.delivery_id} {shlex.join(map(str, files))}"

    def files_of(self, table: str) -> tuple[DeliveredFile, ...]:
        """The files of one raw table, in reading order."""
        return tuple(file for file in self.files if file.table == table)

    @property
    def unread_columns(self) -> list[str]:
        """A line for every delivered column that is in no contract, for a person to read."""
        return unread_columns((file.table, file.undeclared_columns) for file in self.files)

    @property
    def as_delivered(self) -> DeliveredAs:
        """What each of its rows needs to know of it."""
        return DeliveredAs(self.delivery_id, self.kind, self.first_night, self.last_night)

    def covers(self, day: date) -> bool:
        """Whether the night of that day lies in it."""
        return self.first_night <= day <= self.last_night

    def to_json(self) -> str:
        """The manifest's text: the same delivery gives the same bytes."""
        return self.model_dump_json(indent=2) + "\n"


def unread_columns(undeclared: Iterable[tuple[str, Iterable[str]]]) -> list[str]:
    """A line for every undeclared column of every table, each said once."""
    said = [
        f"new column {name!r} is not in the contract of raw.{table} and was not read"
        for table, names in undeclared
        for name in names
    ]
    return list(dict.fromkeys(said))


def read_manifest(path: Path) -> Delivery:
    """The delivery of one manifest; raises `ManifestDamaged` naming the file."""
    try:
        return Delivery.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError) as error:
        raise unreadable_manifest(path, error, f"remove {path} and load the delivery again") from None


def unreadable_manifest(path: Path, error: Exception, next_command: str) -> ManifestDamaged:
    """The error of a manifest that is none."""
    return ManifestDamaged(
        f"manifest {path.name} cannot be read",
        expected="a manifest that athena load wrote",
        found=str(error).splitlines()[0],
        next_command=next_command,
    )


def snapshot_of(deliveries: Iterable[Delivery]) -> str:
    """One name for a set of deliveries, whatever their order; a delivery's id is made of its content."""
    return hashlib.sha256("\n".join(sorted(each.delivery_id for each in deliveries)).encode()).hexdigest()[:16]


def snapshot_until(deliveries: Iterable[Delivery], night: Night) -> str:
    """One name for everything that a night can see."""
    return snapshot_of([each for each in deliveries if each.first_night <= night.day])


def delivery_id_of(source: str, kind: DeliveryKind, night: date | None, files: Iterable[tuple[str, str]]) -> str:
    """A name made of the source and of what was delivered: `(table, sha256)` of every file.

    A nightly delivery's night is part of it, because two nights without a sale have the same bytes.
    """
    digest = hashlib.sha256()
    for part in (source, kind, night.isoformat() if night else "", *(f"{t}={s}" for t, s in sorted(files))):
        digest.update(part.encode() + b"\n")
    return f"{source}-{digest.hexdigest()[:16]}"
