"""What is made of a delivered text before anything else is: the shorter ways give what the whole way gives."""

import random
import re
import unicodedata

import duckdb
import pytest

from athena_assets.sources.mapping import ColumnMapping
from athena_assets.sources.parsing import as_read, parsed
from athena_assets.sources.tables import TEXT, RawColumn

SPACES = tuple(letter for letter in map(chr, range(0x3001)) if unicodedata.category(letter) == "Zs")
BLANKS = (*" \t\n\v\f\r", "\u00a0", "\u2007", "\u202f", "\u3000")
LETTERS = (*BLANKS, "\u1680", "\u2003", "\x01", "\x7f", "!", "~", ".", "0", "1", "A", "é", "e\u0301", "顧", "🙂")
ID = RawColumn("order_id", TEXT)
SPEC = ColumnMapping.model_validate({"from": "given"})


def texts(number: int) -> list[str]:
    """Texts of up to seven letters, many of them with blanks or digits at an end."""
    source = random.Random(20_261_125)
    drawn = [(source.choice(LETTERS) for _ in range(source.randint(0, 7))) for _ in range(number)]
    ids = (
        f"{source.choice(('', '1', 'C'))}{source.randint(0, 99)}.{'0' * source.randint(0, 3)}" for _ in range(number)
    )
    return ["".join(text) for text in drawn] + [source.choice(("", " ")) + text for text in ids]


def without_blanks(text: str) -> str | None:
    """Spaces of any kind off, and where then a control character is at an end, tabs and their like too."""
    spaces_off = text.strip("".join(SPACES))
    blank_left = spaces_off < "!" or spaces_off[-1] < "!"
    return (text.strip("".join(BLANKS)) if blank_left else spaces_off) or None


def evaluated(expression: str, given: list[str]) -> list[str | None]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.execute("CREATE TABLE delivered (place INTEGER, given VARCHAR)")
        connection.executemany("INSERT INTO delivered VALUES (?, ?)", list(enumerate(given)))
        rows = connection.execute(f"SELECT {expression} FROM delivered ORDER BY place").fetchall()
    return [row[0] for row in rows]


def test_text_when_it_is_read_then_the_blanks_around_it_are_off_whatever_they_are() -> None:
    given = texts(4_000)
    found = evaluated(as_read("given", TEXT, ID, "Europe/London"), given)
    assert found == [without_blanks(text) for text in given]
    assert len(set(found)) > 3_000


def test_id_when_it_is_a_number_with_nothing_but_zeros_behind_the_point_then_it_has_none() -> None:
    given = texts(2_000)
    found = evaluated(parsed("given", ID, SPEC, TEXT), given)
    assert found == [re.sub(r"\A([0-9]+)\.0+\Z", r"\1", text) for text in given]
    assert sum(before != after for before, after in zip(given, found, strict=True)) > 400


@pytest.mark.parametrize("expression", [as_read("given", TEXT, ID, "UTC"), parsed("given", ID, SPEC, TEXT)])
def test_text_when_there_is_none_then_none_is_read(expression: str) -> None:
    with duckdb.connect() as connection:
        assert connection.execute(f"SELECT {expression} FROM (SELECT CAST(NULL AS VARCHAR) AS given)").fetchall() == [
            (None,)
        ]
