"""The lint's rule by type: no aggregate whose result depends on the order in which floats are added.

The types come from DuckDB: `json_serialize_plan` binds a statement to empty tables and gives the type of every
aggregate's argument, implicit casts included (`stddev_samp` of a DECIMAL is one of a DOUBLE).
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from athena_assets.features.base_table import load_bases
from athena_assets.features.definition import InvalidFeature, parse_definition
from athena_assets.features.lint_text import Finding, blank_out, closing_bracket, line_of

if TYPE_CHECKING:
    import duckdb

FLOATS = frozenset({"DOUBLE", "FLOAT"})

ORDER_FREE = frozenset(
    {
        "count", "count_star", "count_if", "countif", "min", "max", "arg_min", "arg_max", "argmin", "argmax", "min_by",
        "max_by", "arg_min_null", "arg_max_null", "arg_min_nulls_last", "arg_max_nulls_last", "median", "mad",
        "quantile", "quantile_cont", "quantile_disc", "mode", "histogram", "histogram_exact", "list", "array_agg",
    }
)  # fmt: skip
"""Aggregates that add nothing up: the same for any order of the rows (or refused by text where unordered)."""

_NOWHERE = 2**64 - 1
"""What DuckDB writes where an expression has no place in the text."""

_INSTEAD = "sum of integers or DECIMAL and one division at the end: sums of floats change with the threads"
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")
_PARAMETER_TYPES = {"as_of": "TIMESTAMP", "cutoff": "TIMESTAMP"}
_REFERENCE = re.compile(r"\{([a-z0-9_]+)\}")


def lint_types(path: Path, file: str, connection: "duckdb.DuckDBPyConnection") -> list[Finding]:
    """Findings in one file: float aggregates, and text that the binder refuses."""
    text = path.read_text(encoding="utf-8")
    statement, first_line = _statement(path, text)
    plan = json.loads(
        connection.execute("SELECT json_serialize_plan(CAST($q AS VARCHAR))", {"q": statement}).fetchall()[0][0]
    )
    if plan["error"]:
        message = " ".join(str(plan["error_message"]).split())
        return [Finding(file, 1, "does not bind", message, "SQL that DuckDB can bind to the tables at hand")]
    findings = []
    for name, types, argument in sorted(_aggregates(plan["plans"]), key=repr):
        if name not in ORDER_FREE and FLOATS & set(types):
            line = _line(statement, name, argument) + first_line - 1
            findings.append(Finding(file, line, "float aggregate", f"{name}({', '.join(types)})", _INSTEAD))
    return findings


def _statement(path: Path, text: str) -> tuple[str, int]:
    """What to bind, and the line of the file that its first line is.

    A definition is bound as an expression over its base table; comments and strings keep their place.
    """
    if text.startswith("/* ---"):
        try:
            definition = parse_definition(path)
        except InvalidFeature:
            return _without_parameters(text), 1
        base = _without_parameters(load_bases()[definition.table].sql)
        body = text[text.index("--- */\n") + len("--- */\n") :]
        expression = _REFERENCE.sub("CAST(NULL AS DOUBLE)", _without_parameters(body))
        return f"SELECT {expression}\nFROM (\n{base}\n)", line_of(text, text.index("--- */\n")) + 1
    return _without_parameters(text), 1


def _without_parameters(text: str) -> str:
    """A plan cannot be written with open parameters, so each becomes a null of its type."""

    def null(match: re.Match[str]) -> str:
        kind = _PARAMETER_TYPES.get(match.group(1))
        return f"CAST(NULL AS {kind})" if kind else "NULL"

    return _PARAMETER.sub(null, text)


def _aggregates(node: Any) -> Iterator[tuple[str, tuple[str, ...], tuple[int, str]]]:
    """(name, argument types, (offset or -1, alias) of the first argument) of every aggregate of a plan."""
    if isinstance(node, dict):
        if node.get("expression_class") in ("BOUND_AGGREGATE", "BOUND_WINDOW") and "qname" in node:
            name = node["qname"]["path"][-1]
            first = (node.get("children") or [{}])[0]
            offset = first.get("query_location", _NOWHERE)
            types = tuple(argument["id"] for argument in node["arguments"])
            yield name, types, (offset if offset < _NOWHERE else -1, first.get("alias", ""))
        for value in node.values():
            yield from _aggregates(value)
    elif isinstance(node, list):
        for value in node:
            yield from _aggregates(value)


def _line(statement: str, name: str, argument: tuple[int, str]) -> int:
    """Line of the call: where its argument is, or the first call of that name that mentions the argument."""
    offset, alias = argument
    if offset >= 0:
        return line_of(statement, len(statement.encode()[:offset].decode(errors="ignore")))
    code = blank_out(statement)
    calls = [m.start() for m in re.finditer(rf"\b{re.escape(name)}\s*\(", code, re.IGNORECASE)]
    for start in calls:
        call = code[start : closing_bracket(code, code.index("(", start))]
        if alias and re.search(rf"\b{re.escape(alias)}\b", call):
            return line_of(code, start)
    return line_of(code, calls[0]) if calls else 1
