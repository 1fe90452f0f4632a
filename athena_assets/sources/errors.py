"""The named errors of sources, delivered files and the landing zone."""

from collections.abc import Sequence

from athena_assets.errors import AthenaError


class SourceError(AthenaError):
    """Base of every error about a source or what it delivers."""


class UnknownSource(SourceError):
    """No source has this name."""


class MappingInvalid(SourceError):
    """A mapping YAML does not describe a source."""


class UnreadableFile(SourceError):
    """A delivered file is missing, empty, truncated or not in the format that its name says."""


class EncodingUnclear(UnreadableFile):
    """A text file is neither UTF-8 nor a single-byte encoding throughout."""


class ColumnsDiffer(SourceError):
    """A delivered file lacks a declared column, renames one, or has two columns where one is meant.

    `missing` are declared names, `undeclared` those of the file that nobody declared; `accepting` are the commands
    that accept what looks like a rename, none where that is not clear; `affected` says what is downstream.
    """

    def __init__(
        self,
        what: str,
        *,
        expected: str,
        found: str,
        next_command: str | None = None,
        file: str = "",
        table: str = "",
        missing: Sequence[str] = (),
        undeclared: Sequence[str] = (),
        accepting: Sequence[str] = (),
        affected: Sequence[str] = (),
    ) -> None:
        self.file = file
        self.table = table
        self.missing = tuple(missing)
        self.undeclared = tuple(undeclared)
        self.accepting = tuple(accepting)
        self.affected = tuple(affected)
        super().__init__(what, expected=expected, found=found, next_command=next_command)

    def _message(self) -> str:
        told, next_line, mending = super()._message().partition("\n  next:")
        return "".join([told, *(f"\n  affects:  {line}" for line in self.affected), next_line, mending])

    def but(
        self,
        *,
        what: str | None = None,
        next_command: str | None = None,
        accepting: Sequence[str] | None = None,
        affected: Sequence[str] | None = None,
    ) -> "ColumnsDiffer":
        """The same refusal, told by somebody who knows more."""
        return ColumnsDiffer(
            what or self.what,
            expected=self.expected or "",
            found=self.found or "",
            next_command=next_command or self.next_command,
            file=self.file,
            table=self.table,
            missing=self.missing,
            undeclared=self.undeclared,
            accepting=self.accepting if accepting is None else accepting,
            affected=self.affected if affected is None else affected,
        )


class ColumnUnreadable(SourceError):
    """A declared column of a Parquet file holds no single values: a structure, a list, a map or raw bytes."""


class TooManyUnparseable(SourceError):
    """More rows than the declared share do not parse: the file as a whole cannot be trusted."""


class AlreadyDelivered(SourceError):
    """The same content, or the same night, was registered before. `delivery_id` is that earlier delivery."""

    def __init__(
        self, what: str, *, delivery_id: str, same_content: bool, expected: str, found: str, next_command: str
    ) -> None:
        self.delivery_id = delivery_id
        self.same_content = same_content
        super().__init__(what, expected=expected, found=found, next_command=next_command)


class DeliveryChanged(SourceError):
    """A registered file is no longer the one that was registered."""


class NotAReplacement(SourceError):
    """The files cannot stand in the place of the delivery that they should replace."""


class UnknownDelivery(SourceError):
    """No such delivery, or no delivery covers the night."""


class NightNotDelivered(UnknownDelivery):
    """A night that is over should be run, and nothing came for it."""


class ManifestDamaged(SourceError):
    """A manifest in the landing zone cannot be read as one."""


class ClockBehind(SourceError):
    """The machine's clock stands before a moment that a manifest has recorded."""


class LandingFailed(SourceError):
    """The landing zone could not be written; nothing of the delivery was kept."""


class AliasRefused(SourceError):
    """A name cannot be accepted as an alias: nothing is declared that it could be one of, or it is taken."""


class AliasesDamaged(SourceError):
    """The record of a home's accepted aliases cannot be read."""
