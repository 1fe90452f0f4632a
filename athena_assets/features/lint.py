"""A lint for SQL files: what gives other bytes on other days, threads or engines is refused before it runs.

Rules by text are in `lint_text.py`; rules by type (`lint_types.py`) ask DuckDB's own binder for the type of every
aggregate's argument. Works on any folder of SQL files.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from athena_assets.features.lint_text import Finding, lint_text
from athena_assets.features.lint_types import lint_types

if TYPE_CHECKING:
    import duckdb


def lint_directory(folder: Path, connection: "duckdb.DuckDBPyConnection | None" = None) -> list[Finding]:
    """Findings in every `*.sql` below a folder, sorted by file and line.

    connection: holds the (empty) tables that the files read; without it only the rules by text are applied.
    Definitions of features are bound to their base table; everything else must be complete statements.
    """
    findings = []
    for path in sorted(folder.rglob("*.sql")):
        name = path.relative_to(folder).as_posix()
        text = path.read_text(encoding="utf-8")
        findings += lint_text(text, name)
        if connection is not None:
            findings += lint_types(path, name, connection)
    return sorted(findings)
