"""The one base of every error a user can meet.

An error names the thing, what was expected, what was found and the command that mends it, because it is
read at 6:47 by somebody who did not write the code.
"""


class AthenaError(Exception):
    """A failure with a known cause. Subclasses are the named errors of each room.

    Parameters
    ----------
    what: the thing that is wrong, in one sentence.
    expected: what should have been there.
    found: what was there instead.
    next_command: the one command (or action) that mends it.
    """

    transient = False
    """Whether the same step may succeed by itself a moment later; only such errors are retried."""

    def __init__(
        self,
        what: str,
        *,
        expected: str | None = None,
        found: str | None = None,
        next_command: str | None = None,
    ) -> None:
        self.what = what
        self.expected = expected
        self.found = found
        self.next_command = next_command
        super().__init__(self._message())

    def _message(self) -> str:
        parts = [self.what]
        if self.expected is not None:
            parts.append(f"  expected: {self.expected}")
        if self.found is not None:
            parts.append(f"  found:    {self.found}")
        if self.next_command is not None:
            parts.append(f"  next:     {self.next_command}")
        return "\n".join(parts)


class InvalidArgument(AthenaError):
    """An argument of a command or a run cannot mean anything here."""
