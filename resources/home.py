"""The home: the folder of all state of one retailer, and the record of whose it is.

A home belongs to one source. Working on another retailer parks this home beside it (`.athena-<source>`) and takes
that retailer's own home back if it had one: nothing is lost and two retailers never mix.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from athena_assets.atomic import replace_text
from athena_assets.errors import AthenaError
from athena_assets.nights import Night

RECORD = "home.json"


class HomeBroken(AthenaError):
    """The record of a home cannot be read."""


class HomeParked(AthenaError):
    """A home stands where another one should be parked."""


class NoHome(AthenaError):
    """Nothing has been landed in this home yet."""


@dataclass(frozen=True)
class HomeRecord:
    """Whose home this is."""

    source: str
    first_night: date
    """The first night that is run as a night; what was delivered before it is history."""
    mapping: str | None = None
    """Text of the mapping file, for a source made from one."""


def read_home(home: Path) -> HomeRecord | None:
    """The record of a home, or None where nothing has been landed; raises `HomeBroken`."""
    path = home / RECORD
    if home.exists() and not home.is_dir():
        raise HomeBroken(
            f"{home} cannot be a home",
            expected="a folder, or nothing yet",
            found="a file",
            next_command="set ATHENA_HOME to a folder",
        )
    if not path.exists():
        return None
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return HomeRecord(
            source=document["source"],
            first_night=Night.parse(document["first_night"]).day,
            mapping=document.get("mapping"),
        )
    except (ValueError, KeyError, TypeError, AthenaError) as error:
        raise HomeBroken(
            f"{path} is not the record of a home",
            expected="source, first_night",
            found=str(error),
            next_command="restore the file, or move the home aside and run `athena run`",
        ) from None


def need_home(home: Path) -> HomeRecord:
    """The record of a home; raises `NoHome` where nothing has been landed."""
    record = read_home(home)
    if record is None:
        raise NoHome(
            "nothing has been landed in this home yet",
            expected=f"a record at {home / RECORD}",
            found="no such file",
            next_command="athena run, athena simulate or athena load FILE",
        )
    return record


def write_home(home: Path, record: HomeRecord) -> None:
    """Write the record atomically."""
    home.mkdir(parents=True, exist_ok=True)
    document = {"source": record.source, "first_night": record.first_night.isoformat()}
    if record.mapping is not None:
        document["mapping"] = record.mapping
    replace_text(home / RECORD, json.dumps(document, indent=2) + "\n")


@contextmanager
def home_of(home: Path, source: str) -> Iterator[str | None]:
    """Make `home` the home of `source` for good, unless the body fails: then another retailer's is put back.

    A home whose making fails leaves nothing behind. Yields what was done, in words, or None where nothing had to
    move. Raises `HomeParked`.
    """
    record, own = read_home(home), parking_place(home, source)
    if record is None or record.source == source:
        with _removed_on_failure(home):
            yield _take_back(home, own) if record is None else None
        return
    parked = parking_place(home, record.source)
    if parked.exists():
        raise HomeParked(
            f"cannot park the home of {record.source}",
            expected=f"nothing at {parked}",
            found="a folder of that name",
            next_command=f"move {parked} elsewhere, then run the same command again",
        )
    os.rename(home, parked)
    said = f"home of {record.source} parked at {parked.name}"
    if taken := _take_back(home, own):
        said = f"{said}; {taken}"
    try:
        yield said
    except BaseException:
        if home.exists() and read_home(home) is None:
            shutil.rmtree(home)
        elif home.exists():
            os.rename(home, own)
        os.rename(parked, home)
        raise


def _take_back(home: Path, own: Path) -> str | None:
    """Bring a source's parked home back where no other stands; also after a command that was killed half-way."""
    if read_home(own) is None:
        return None
    if home.exists():
        # The leftover of a load that was killed before it wrote whose home it was.
        leftover = home.with_name(f"{home.name}-leftover")
        shutil.rmtree(leftover, ignore_errors=True)
        os.rename(home, leftover)
    os.rename(own, home)
    return f"home taken back from {own.name}"


@contextmanager
def _removed_on_failure(home: Path) -> Iterator[None]:
    """Where there was no home before, a body that fails before it wrote the record leaves none."""
    existed = home.exists()
    try:
        yield
    except BaseException:
        if not existed and home.exists() and read_home(home) is None:
            shutil.rmtree(home)
        raise


def parking_place(home: Path, source: str) -> Path:
    """Where the home of a source waits while another retailer is worked on."""
    return home.with_name(f"{home.name}-{source}")
