"""Accepted aliases of a home: the new name of a delivered column, accepted by a person as a contract change.

    <home>/contracts/aliases.jsonl   one line per acceptance, in order; lines are added and never changed

An alias is nothing that Athena finds out by itself: a column that looks like a renamed one may be another one. So it
is accepted by a named person for a reason, for one table of one home, and raises the minor version of that table's
contract in this home. `source_of_home` is the one place where a home's source is made, its aliases included.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from athena_assets.atomic import replace_text
from athena_assets.errors import InvalidArgument
from athena_assets.sources.errors import AliasesDamaged, AliasRefused
from athena_assets.sources.mapping import TableMapping
from athena_assets.sources.source import Source, mapped_source, source_named
from athena_assets.wording import need_words, shell_word
from checks.contract_files import load_contract

RAW = "raw."


class AcceptedAlias(BaseModel):
    """One acceptance. `accepted_at` has its offset; versions are those of the table's contract in this home."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    accepted_at: datetime
    table: str = Field(pattern=r"^raw\.[a-z_]+$")
    declared: str = Field(min_length=1)
    alias: str = Field(min_length=1)
    by: str = Field(min_length=1)
    reason: str = Field(min_length=1)
    version_before: str
    version: str


@dataclass(frozen=True)
class AliasRequest:
    """What a person asks for: the delivered column `declared` of a raw table is also called `alias`."""

    table: str
    declared: str
    alias: str

    @classmethod
    def parse(cls, table: str, renamed: str) -> "AliasRequest":
        """From `raw.orders` and `new_name=declared_name`; raises `InvalidArgument`."""
        alias, equals, declared = (part.strip() for part in renamed.rpartition("="))
        if not (alias and equals and declared):
            raise InvalidArgument(
                f"{renamed!r} is no alias",
                expected="NEW_NAME=DECLARED_NAME, for instance order_total_amount=total_order_amount",
                found=renamed,
                next_command=accept_command("raw.orders", "DECLARED_NAME", "NEW_NAME"),
            )
        return cls(table if table.startswith(RAW) else f"{RAW}{table}", declared, alias)


def accept_command(table: str, declared: str, alias: str) -> str:
    """The command by which a person accepts an alias, as a shell reads it; name and reason are left to the person."""
    renamed = f"{alias}={declared}"
    return f"athena contracts accept-alias {table} {shell_word(renamed)} --by NAME --reason TEXT"


def source_of_home(home: Path, name: str, mapping: Path | None = None) -> Source:
    """The source called `name` as a home has it: its mapping, and the aliases accepted in this home.

    mapping: a mapping YAML to read in place of the one that the home keeps.
    """
    source = mapped_source(mapping) if mapping is not None else source_named(name, mapped=home / "mappings")
    return with_accepted(source, read_aliases(home))


def with_accepted(source: Source, accepted: Sequence[AcceptedAlias]) -> Source:
    """The source with accepted aliases.

    An acceptance that a later mapping has overtaken adds nothing: the mapping says the name itself, or has given up
    the column that the alias was for.
    """
    for each in accepted:
        table = each.table.removeprefix(RAW)
        mapping = source.mapping.tables.get(table)
        if mapping is not None and each.alias not in _names(mapping) and each.declared in _declared(mapping):
            source = source.with_aliases({each.alias: each.declared}, table=table)
    return source


def aliases_path(home: Path) -> Path:
    """Where a home keeps what was accepted in it."""
    return home / "contracts" / "aliases.jsonl"


def read_aliases(home: Path) -> tuple[AcceptedAlias, ...]:
    """Every acceptance of a home in order; raises `AliasesDamaged` naming file and line."""
    path = aliases_path(home)
    if not path.exists():
        return ()
    accepted = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            accepted.append(AcceptedAlias.model_validate_json(line))
        except ValidationError as error:
            raise AliasesDamaged(
                f"{path.name}: line {number} is no acceptance of an alias",
                expected="a line that athena contracts accept-alias wrote",
                found=f"{line[:80]!r}: {error.errors(include_url=False)[0]['msg']}",
                next_command=f"restore {path} from a backup",
            ) from None
    return tuple(accepted)


def home_version(table: str, accepted: Sequence[AcceptedAlias]) -> str:
    """Version of a raw table's contract in a home: the shipped one, its minor raised by every accepted alias."""
    major, minor, patch = load_contract(table).version.split(".")
    return f"{major}.{int(minor) + sum(each.table == table for each in accepted)}.{patch}"


def accept_alias(
    home: Path, source: Source, request: AliasRequest, *, by: str, reason: str, accepted_at: datetime
) -> AcceptedAlias:
    """Record that a column has another name from now on; nothing is changed where this raises `AliasRefused`.

    source: the home's.
    """
    _refuse(with_accepted(source, read_aliases(home)), request)
    for what, value in {"by": by, "reason": reason}.items():
        if not value.strip():
            raise AliasRefused(
                f"an alias is a contract change and needs --{what}",
                expected="who accepts it" if what == "by" else "why the column was renamed, and who said so",
                found="nothing",
            )
    by, reason = need_words("--by", by), need_words("--reason", reason)
    path = aliases_path(home)
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.with_suffix(".lock")):
        before = read_aliases(home)
        _refuse(with_accepted(source, before), request)
        entry = AcceptedAlias(
            accepted_at=accepted_at,
            table=request.table,
            declared=request.declared,
            alias=request.alias,
            by=by,
            reason=reason,
            version_before=home_version(request.table, before),
            version="0.0.0",
        )
        entry = entry.model_copy(update={"version": home_version(request.table, (*before, entry))})
        lines = [json.dumps(each.model_dump(mode="json"), ensure_ascii=False) for each in (*before, entry)]
        replace_text(path, "".join(f"{line}\n" for line in lines))
    return entry


def _refuse(source: Source, request: AliasRequest) -> None:
    """Raise `AliasRefused` for a table or column that is not there, and for a name that is taken."""
    mapping = source.mapping.tables.get(request.table.removeprefix(RAW))
    if mapping is None:
        raise AliasRefused(
            f"{source.name} delivers no table {request.table}",
            expected=f"one of {', '.join(f'{RAW}{table}' for table in source.tables)}",
            found=request.table,
            next_command="athena contracts",
        )
    if request.declared not in _declared(mapping):
        raise AliasRefused(
            f"{source.name} declares no column {request.declared!r} in {request.table}",
            expected=f"one of {', '.join(map(repr, _declared(mapping)))}",
            found=repr(request.declared),
            next_command=accept_command(request.table, "DECLARED_NAME", "NEW_NAME"),
        )
    for column, spec in mapping.columns.items():
        if request.alias in spec.names:
            raise AliasRefused(
                f"{request.alias!r} is already a declared name in {request.table}",
                expected=f"a name that {source.name} does not declare",
                found=f"{request.alias!r} is read as {column}",
                next_command="athena contracts aliases",
            )
    if request.alias in mapping.ignore:
        raise AliasRefused(
            f"{request.alias!r} is declared as a column of {request.table} that is known and not used",
            expected=f"a name that is not under `ignore` in {source.declared_in}",
            found=f"{request.alias!r} under `ignore`",
            next_command=f"take it off `ignore` in {source.declared_in} first",
        )


def _declared(mapping: TableMapping) -> tuple[str, ...]:
    """Delivered names that a table declares, aliases left out."""
    return tuple(dict.fromkeys(spec.delivered for spec in mapping.columns.values() if spec.delivered is not None))


def _names(mapping: TableMapping) -> frozenset[str]:
    return frozenset(name for spec in mapping.columns.values() for name in spec.names) | frozenset(mapping.ignore)
