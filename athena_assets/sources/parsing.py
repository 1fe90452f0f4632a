"""Typed parsing in SQL: text in, value or NULL out, never a guess.

Each function returns a SQL expression over the column alias it is given. A value that does not parse is
NULL; `what` names the expected form for the row's `parse_error`.
"""

from athena_assets.sources.mapping import ColumnMapping
from athena_assets.sources.tables import BOOLEAN, DATE, MONEY, TEXT, TIMESTAMP, WHOLE, RawColumn

WHAT = {
    TEXT: "a text",
    WHOLE: "a whole number",
    MONEY: "an amount with at most four decimals",
    TIMESTAMP: "a date and time",
    DATE: "a date",
    BOOLEAN: "true or false",
}
"""The expected form of each type, in the words of `parse_error`."""

_ISO = r"^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?$"
_BLANKS = " \t\n\v\f\r\u00a0\u2007\u202f\u3000"
"""What is taken off around a text: blanks that export programs pad and separate with."""

_WHOLE_TYPES = frozenset({"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"})


_SINGLE_TYPES = _WHOLE_TYPES | {
    "VARCHAR", "BOOLEAN", "UBIGINT", "HUGEINT", "UHUGEINT", "FLOAT", "DOUBLE", "DATE", "TIME", "UUID", '"NULL"',
    "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS", "TIMESTAMP WITH TIME ZONE",
}  # fmt: skip
"""Delivered types whose values have one text each; a column without any value has the type "NULL"."""


def quote_text(value: str) -> str:
    """A SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def quote_name(name: str) -> str:
    """A SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def is_typed(delivered_type: str, column: RawColumn) -> bool:
    """Whether the file already holds the column in its canonical type, so that nothing is left to parse."""
    if column.type == WHOLE:
        return delivered_type in _WHOLE_TYPES
    return column.type != TEXT and delivered_type == column.type


def is_single(delivered_type: str) -> bool:
    """Whether a column holds one value a row: the text of a structure, a list or raw bytes is no value."""
    return delivered_type in _SINGLE_TYPES or delivered_type.startswith(("DECIMAL(", "ENUM("))


def as_read(delivered: str, delivered_type: str, column: RawColumn, timezone: str) -> str:
    """The delivered column as trimmed text, blank as NULL, or as it is where it is typed already.

    A zoned timestamp becomes the wall clock of `timezone`.
    """
    name = quote_name(delivered)
    if is_typed(delivered_type, column):
        return name
    if delivered_type == "TIMESTAMP WITH TIME ZONE":
        name = f"({name} AT TIME ZONE {quote_text(timezone)})"
    return _without_blanks(f"CAST({name} AS VARCHAR)")


def parsed(text: str, column: RawColumn, spec: ColumnMapping, delivered_type: str) -> str:
    """The typed value of `text`, the name of a column that `as_read` made."""
    if is_typed(delivered_type, column):
        return f"CAST({text} AS {column.type})"
    if spec.starts_with is not None:
        return f"starts_with({text}, {quote_text(spec.starts_with)})"
    if column.type == TEXT:
        return _text(text, column, spec)
    if column.type == WHOLE:
        # DuckDB rounds 12.7 to 13 on its way to BIGINT; a quantity is whole or it is an error.
        exact = f"TRY_CAST({text} AS DECIMAL(38,12))"
        return f"CASE WHEN {exact} = trunc({exact}) THEN TRY_CAST({exact} AS BIGINT) END"
    if column.type == MONEY:
        # Twelve decimals absorb the noise of binary floats (0.30000000000000004) and still see a fifth
        # decimal that would be lost: finer money is refused, not rounded.
        exact = f"TRY_CAST({text} AS DECIMAL(38,12))"
        rounded = f"TRY_CAST({exact} AS DECIMAL(18,4))"
        return f"CASE WHEN {exact} = {rounded} THEN {rounded} END"
    if column.type in (TIMESTAMP, DATE):
        return f"CAST({_timestamp(text, spec)} AS {column.type})"
    return f"TRY_CAST({text} AS BOOLEAN)"


def constant(column: RawColumn, value: bool | int | str) -> str:
    """A mapping's constant as a typed SQL literal."""
    return f"CAST({quote_text(str(value))} AS {column.type})"


def _without_blanks(text: str) -> str:
    """Without blanks around it, NULL where nothing else is there.

    Hardly a text has any: one whose first and last characters are visible ASCII is left as it is, which takes a sixth
    of the time of trimming it. `trim` by itself leaves tabs; told to take them it is four times as slow.
    """
    is_bare = " AND ".join(f"{end} >= '!' AND {end} < '~'" for end in (text, f"({text})[-1]"))
    spaces_off = f"trim({text})"
    blank_left = f"{spaces_off} < '!' OR right({spaces_off}, 1) < '!'"
    trimmed = f"CASE WHEN {blank_left} THEN trim({text}, {quote_text(_BLANKS)}) ELSE {spaces_off} END"
    return f"CASE WHEN {is_bare} THEN {text} ELSE nullif({trimmed}, '') END"


def _text(text: str, column: RawColumn, spec: ColumnMapping) -> str:
    value = text
    if column.name.endswith("_id"):
        # Spreadsheets turn 17850 into 17850.0; an id has no decimals.
        whole = rf"regexp_replace({value}, '^(\d+)\.0+$', '\1')"
        value = f"CASE WHEN contains({value}, '.0') THEN {whole} ELSE {value} END"
    if spec.uppercase:
        value = f"upper({value})"
    if spec.prefix:
        value = f"{quote_text(spec.prefix)} || {value}"
    if spec.nulls:
        value = f"CASE WHEN {text} NOT IN ({', '.join(map(quote_text, spec.nulls))}) THEN {value} END"
    return value


def _timestamp(text: str, spec: ColumnMapping) -> str:
    """ISO first, then the declared formats.

    A bare TRY_CAST would read 12/1/10 as year 12 and silently drop a UTC offset, so ISO is matched whole.
    """
    iso = f"CASE WHEN regexp_matches({text}, {quote_text(_ISO)}) THEN TRY_CAST({text} AS TIMESTAMP) END"
    if not spec.formats:
        return iso
    return f"coalesce({iso}, try_strptime({text}, [{', '.join(map(quote_text, spec.formats))}]))"
