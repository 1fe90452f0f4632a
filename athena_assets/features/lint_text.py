"""The lint's rules by text: no function that depends on the clock, on chance, on row order, or that approximates."""

import re
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Finding:
    """One thing to rewrite."""

    file: str
    line: int
    rule: str
    found: str
    instead: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.rule}: {self.found}; write {self.instead}"


@dataclass(frozen=True)
class _TextRule:
    name: str
    pattern: re.Pattern[str]
    instead: str


def _rule(name: str, pattern: str, instead: str) -> _TextRule:
    return _TextRule(name, re.compile(pattern, re.IGNORECASE), instead)


_TEXT_RULES = (
    _rule(
        "date difference",
        r"\b(date_?diff|date_?sub)\s*\(",
        "CAST(a AS DATE) - CAST(b AS DATE): date_diff counts boundaries in one engine and whole days in another",
    ),
    _rule(
        "asof join",
        r"\basof\b",
        "arg_max(value, ts) and GROUP BY: faster here, and portable",
    ),
    _rule(
        "approximation",
        r"\b(approx_\w+|reservoir_quantile)\s*\(",
        "the exact aggregate: approximations change with threads and versions",
    ),
    _rule(
        "clock",
        r"\b(now|today|get_current_time(stamp)?|transaction_timestamp)\s*\(|\b(current_(date|time|timestamp)|local(time|timestamp))\b",
        "$as_of or $cutoff: time is an argument",
    ),
    _rule(
        "chance",
        r"\b(random|setseed|uuid|uuidv\d|gen_random_uuid)\s*\(|\b(using\s+sample|tablesample)\b",
        "hash(key) with a seed in it: the same rows on every run",
    ),
)

_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)
_NEEDS_ORDER = re.compile(
    r"\b(list|array_agg|string_agg|group_concat|listagg|first|last|any_value|arbitrary)\s*\(", re.IGNORECASE
)
_COMMENTS_AND_STRINGS = re.compile(r"/\*.*?\*/|--[^\n]*|'(?:[^']|'')*'", re.DOTALL)


def lint_text(text: str, file: str) -> list[Finding]:
    """Findings of the rules by text in one SQL text."""
    code = blank_out(text)
    findings = []
    for rule in _TEXT_RULES:
        for match in rule.pattern.finditer(code):
            findings.append(Finding(file, line_of(code, match.start()), rule.name, match.group(), rule.instead))
    for start, name in _unordered_lists(code):
        findings.append(
            Finding(
                file,
                line_of(code, start),
                "unordered aggregate",
                f"{name}(...) without ORDER BY",
                f"{name}(... ORDER BY a key that is unique in the group), or min, max, arg_max",
            )
        )
    return sorted(findings)


def blank_out(text: str) -> str:
    """The text with comments and strings as blanks, so that offsets and lines stay true."""
    return _COMMENTS_AND_STRINGS.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def line_of(text: str, offset: int) -> int:
    """One-based line of an offset."""
    return text.count("\n", 0, offset) + 1


def closing_bracket(code: str, opening: int) -> int:
    """Offset of the bracket that closes the one at `opening`; the end of the text where none does."""
    depth = 0
    for offset in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[offset], 0)
        if depth == 0:
            return offset
    return len(code)


def _unordered_lists(code: str) -> Iterator[tuple[int, str]]:
    for match in _NEEDS_ORDER.finditer(code):
        end = closing_bracket(code, match.end() - 1)
        call = code[match.end() : end]
        window = re.match(r"\)\s*over\s*\(", code[end:], re.IGNORECASE)
        if window is not None:
            call = code[end : closing_bracket(code, end + window.end() - 1)]
        if not _ORDERED.search(call):
            yield match.start(), match.group(1)
