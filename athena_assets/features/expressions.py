"""Finds the aggregate calls inside a feature's expression, so that each is computed once for all features.

Only spans are found; the author's text is kept as it is and never rewritten by a SQL generator.
"""

import re
from dataclasses import dataclass

from athena_assets.features.definition import FeatureDefinition, InvalidFeature

AGGREGATES = frozenset({"count", "sum", "min", "max", "arg_min", "arg_max", "bit_or", "bit_and", "bool_or", "bool_and"})
"""What a feature may aggregate with: all exact on integers, DECIMAL, dates and booleans."""

_TOKEN = re.compile(r"'(?:[^']|'')*'|[A-Za-z_][A-Za-z_0-9]*|\s+|.", re.DOTALL)


@dataclass(frozen=True)
class Token:
    """A piece of the text and where it starts."""

    text: str
    start: int

    @property
    def end(self) -> int:
        """Offset just after it."""
        return self.start + len(self.text)


def tokens(text: str) -> list[Token]:
    """Words, string literals and single characters of an expression, without white space."""
    return [Token(m.group(), m.start()) for m in _TOKEN.finditer(text) if not m.group().isspace()]


@dataclass(frozen=True)
class Piece:
    """A stretch of an expression: an aggregate call with its FILTER, or what stands between two."""

    text: str
    aggregate: str | None
    """Lower-case name of the aggregate; None for the text between."""


def pieces(definition: FeatureDefinition) -> list[Piece]:
    """The expression cut into aggregate calls and the text between; raises `InvalidFeature` on an open bracket."""
    text, found = definition.expression, tokens(definition.expression)
    result: list[Piece] = []
    at, index = 0, 0
    while index < len(found):
        token = found[index]
        if token.text.lower() in AGGREGATES and index + 1 < len(found) and found[index + 1].text == "(":
            last = _closing(definition, found, index + 1)
            if found[index + 2].text.lower() == "distinct":
                raise InvalidFeature(
                    f"feature {definition.name}: {token.text}(DISTINCT ...)",
                    expected="bit_count(bit_or(1 << bucket)) for a few buckets: exact, and three times as fast",
                    found=text[token.start : found[last].end],
                )
            if [t.text.lower() for t in found[last + 1 : last + 3]] == ["filter", "("]:
                last = _closing(definition, found, last + 2)
            result.append(Piece(text[at : token.start], None))
            result.append(Piece(" ".join(text[token.start : found[last].end].split()), token.text.lower()))
            at, index = found[last].end, last
        index += 1
    result.append(Piece(text[at:], None))
    return [piece for piece in result if piece.text]


def top_level_parts(text: str) -> list[str]:
    """The text cut at the commas outside brackets and string literals."""
    parts, depth, start = [], 0, 0
    for token in tokens(text):
        depth += {"(": 1, ")": -1}.get(token.text, 0)
        if token.text == "," and depth == 0:
            parts.append(text[start : token.start].strip())
            start = token.end
    return [*parts, text[start:].strip()]


def identifiers(text: str) -> set[str]:
    """Bare words of an expression, string literals left out."""
    return {token.text for token in tokens(text) if re.fullmatch(r"[A-Za-z_]\w*", token.text)}


def _closing(definition: FeatureDefinition, found: list[Token], opening: int) -> int:
    depth = 0
    for index in range(opening, len(found)):
        depth += {"(": 1, ")": -1}.get(found[index].text, 0)
        if depth == 0:
            return index
    raise InvalidFeature(
        f"feature {definition.name}: brackets", expected="every '(' closed", found=definition.expression
    )
