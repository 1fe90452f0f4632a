"""Which encoding a delivered text file is in, and proof that it is in it throughout.

A file that is partly UTF-8 and partly a single-byte encoding decodes without complaint as the latter and
turns names into mojibake, so it is refused with the two lines that contradict each other.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from athena_assets.sources.errors import EncodingUnclear, UnreadableFile

_MULTIBYTE = re.compile(rb"[\xc2-\xf4][\x80-\xbf]+")
_SINGLE_BYTE = "cp1252"


def encoding_of(path: Path) -> str:
    """`utf-8`, `utf-8-sig`, `utf-16` or `cp1252` (of which latin-1 text is a part).

    Raises `EncodingUnclear` with the line number for a file that is none of these throughout.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    first_utf8: int | None = None
    first_single: int | None = None
    for number, line in _lines(path):
        if line.isascii():
            if b"\x00" in line:
                raise _unclear(path, f"line {number} holds a zero byte: this is not a text file")
            continue
        try:
            line.decode("utf-8")
        except UnicodeDecodeError as error:
            if first_single is None:
                first_single = number
            if _holds_utf8(line):
                raise _unclear(path, f"line {number} mixes UTF-8 with other bytes") from None
            try:
                line.decode(_SINGLE_BYTE)
            except UnicodeDecodeError as undefined:
                raise _unclear(
                    path,
                    f"line {number}: byte 0x{line[error.start]:02x} is no UTF-8 and "
                    f"byte 0x{line[undefined.start]:02x} no {_SINGLE_BYTE}",
                ) from None
        else:
            first_utf8 = first_utf8 or number
        if first_utf8 is not None and first_single is not None:
            raise _unclear(path, f"line {first_utf8} is UTF-8, line {first_single} is not")
    if first_single is not None:
        return _SINGLE_BYTE
    return "utf-8-sig" if start.startswith(b"\xef\xbb\xbf") else "utf-8"


def transcode(path: Path, encoding: str, target: Path, *, chunk: int = 1 << 20) -> None:
    """Write `path` to `target` as plain UTF-8, a megabyte at a time.

    Raises `UnreadableFile` when the file ends within a character.
    """
    try:
        with (
            path.open("r", encoding=encoding, newline="") as source,
            target.open("w", encoding="utf-8", newline="") as out,
        ):
            while text := source.read(chunk):
                out.write(text)
    except UnicodeDecodeError as error:
        raise UnreadableFile(
            f"{path.name} cannot be decoded", expected=f"{encoding} text to the end", found=error.reason
        ) from None


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        yield from enumerate(file, start=1)


def _holds_utf8(line: bytes) -> bool:
    """Whether some run of high bytes in the line is a valid UTF-8 character, which single-byte text hardly makes."""
    for match in _MULTIBYTE.finditer(line):
        try:
            match.group().decode("utf-8")
        except UnicodeDecodeError:
            continue
        return True
    return False


def _unclear(path: Path, found: str) -> EncodingUnclear:
    return EncodingUnclear(
        f"{path.name}: the text encoding is not the same throughout",
        expected="UTF-8, UTF-16 with a byte order mark, or cp1252 / latin-1, from the first line to the last",
        found=found,
        next_command="export the file again as UTF-8",
    )
