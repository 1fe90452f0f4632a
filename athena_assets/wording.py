"""Words that came from outside, in records and on screens: they may say anything, and only say it.

A control character in a name clears the reader's terminal, and a line break forges a line of its own, for instance
one that begins with `next:`. What a person says for a record is refused for them; what is shown of a delivered file,
or of what is recorded already, is shown with their escapes.
"""

import shlex
import unicodedata

from athena_assets.errors import InvalidArgument

_UNSHOWABLE = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, halves of characters, separators of lines and paragraphs."""

_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that turn the direction of writing, so that a line reads as another one."""


def printable(text: str) -> str:
    """The text with its control characters as escapes; line breaks and tabs stand as they are."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def one_line(text: str) -> str:
    """The text as one line: line breaks and tabs as escapes, too."""
    if text.isprintable():
        return text
    return "".join(_escape(character) if character in "\n\t" else _escaped(character) for character in text)


def shell_word(text: str) -> str:
    """The text as one word on one line of bash, which reads the escapes back as what they stand for."""
    if one_line(text) == text:
        return shlex.quote(text)
    quoted = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{one_line(quoted)}'"


def need_words(name: str, text: str) -> str:
    """What a person says for a record, blanks around it taken off.

    name: what is said, as the command line calls it. Raises `InvalidArgument` for no words, and for what no line holds.
    """
    words = text.strip()
    if not words:
        raise InvalidArgument(f"{name} says nothing", expected="words for the record", found="nothing")
    if one_line(words) != words:
        raise InvalidArgument(
            f"{name} holds what does not belong in a line of text",
            expected="one line, without control characters",
            found=ascii(words),
        )
    return words


def _escaped(character: str) -> str:
    stays = character in "\n\t" or not (unicodedata.category(character) in _UNSHOWABLE or character in _TURNING)
    return character if stays else _escape(character)


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode() if character.isascii() else f"\\u{ord(character):04x}"
