"""The texts of sql/*.sql, filled in."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

from athena_assets.orders.rules import Rule
from athena_assets.sources.parsing import quote_text
from athena_assets.sql import without_comments

SQL = Path(__file__).parent / "sql"


@cache
def text(name: str) -> str:
    """The template as it stands in sql/, without its comments: they name what the text itself need not read."""
    return without_comments((SQL / f"{name}.sql").read_text(encoding="utf-8")).strip()


def template(name: str, values: Mapping[str, str]) -> str:
    """The template with every `{{key}}` replaced by its value."""
    filled = text(name)
    for key, value in values.items():
        filled = filled.replace(f"{{{{{key}}}}}", value)
    return filled


def same(columns: Iterable[str], left: str, right: str) -> str:
    """SQL condition that two rows agree in these columns, nulls included."""
    return " AND ".join(f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in columns)


def cases(rules: Iterable[Rule]) -> str:
    """SQL of the code of the first rule that holds."""
    return f"CASE {' '.join(f'WHEN {rule.when} THEN {quote_text(rule.code)}' for rule in rules)} END"


def codes(rules: Iterable[Rule]) -> str:
    """The rules' codes as a SQL list; an impossible code stands for none, because IN () is no SQL."""
    return ", ".join(dict.fromkeys(quote_text(rule.code) for rule in rules)) or "''"
