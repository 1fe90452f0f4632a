"""What will refuse: the errors of the very functions that a run calls, caught before it is run."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from athena_assets.errors import AthenaError


@dataclass(frozen=True)
class Refusal:
    """One named error that a run would end with. `where` is the night, or what else it is about."""

    where: str
    error: str
    what: str
    expected: str | None
    found: str | None
    next_command: str | None

    @classmethod
    def of(cls, error: AthenaError, where: str) -> "Refusal":
        """The refusal that an error stands for."""
        return cls(where, type(error).__name__, error.what, error.expected, error.found, error.next_command)


class Refusals:
    """Refusals in the order in which they were met; the same one of several nights is told once, of the first."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Refusal] = {}

    @property
    def all(self) -> tuple[Refusal, ...]:
        """Everything that would refuse."""
        return tuple(self._found.values())

    def add(self, error: AthenaError, where: str) -> None:
        """Note a refusal."""
        self._found.setdefault((type(error).__name__, error.what), Refusal.of(error, where))

    @contextmanager
    def of(self, where: str) -> Iterator[None]:
        """Note the refusal that the body meets; one that may be gone a moment later is no answer and goes on."""
        try:
            yield
        except AthenaError as error:
            if error.transient:
                raise
            self.add(error, where)
