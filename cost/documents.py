"""Reading the YAML in which people write prices and costs: named errors, and no number that was a float."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from athena_assets.errors import AthenaError
from athena_assets.yaml_text import load_yaml
from cost import money

Document = TypeVar("Document", bound="CostDocument")


class InvalidDocument(AthenaError):
    """A price or cost file that cannot be used."""


def _amount(value: object) -> object:
    if value is None:
        return None
    try:
        return money.parse(value, what="the number")
    except money.InvalidAmount as error:
        raise PydanticCustomError("amount", "{reason}", {"reason": str(error)}) from None


Amount = Annotated[Any, BeforeValidator(_amount)]
"""An exact amount, quoted in YAML; validated by `money.parse`."""


class CostDocument(BaseModel):
    """Base of every entry: immutable, and an unknown field is an error, not an addition nobody reads."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def read(path: Path, entries: str, kind: type[Document]) -> Sequence[Document]:
    """The list under the key `entries` of a YAML file; raises `InvalidDocument` naming file, entry and field."""
    try:
        loaded = load_yaml(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise InvalidDocument(f"{path.name} cannot be read", found=str(error)) from None
    listed = loaded.get(entries) if isinstance(loaded, dict) else None
    if not isinstance(listed, list) or not listed:
        raise InvalidDocument(f"{path.name} lists no {entries}", expected=f"a list under `{entries}:`")
    return [_entry(path, number, entry, kind) for number, entry in enumerate(listed, start=1)]


def _entry(path: Path, number: int, entry: object, kind: type[Document]) -> Document:
    try:
        return kind.model_validate(entry)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"]) or "the entry"
        raise InvalidDocument(
            f"{path.name}, entry {number}: {name} is not valid",
            expected=first["msg"],
            found=repr(first["input"]) if first["loc"] else None,
            next_command=f"mend {path.name}",
        ) from None
