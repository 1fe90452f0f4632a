"""The tables that features read, each seen through one `base/<table>.sql`.

A base text turns a canonical table into the rows that a night could have seen (`ts < $as_of AND known_at <= $cutoff`)
and gives its columns the names that features are written in, so that "a purchase" is said once.
"""

from functools import cache
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from athena_assets.features.definition import InvalidFeature, refuse, split_header

BASES = Path(__file__).parent / "base"


class BaseTable(BaseModel):
    """One base text and what its header declares."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    source: str
    """Address of the view that it reads, the only one."""
    version_key: str | None
    """Column that a corrected delivery repeats with a later known_at; null where features handle versions."""
    correction_flag: str | None = None
    """Column of the source that is true on every version but the first; null where the source does not tell."""
    event_time: str | None
    """Column of the source whose distance from as_of is the age of a row; null where rows have no age."""
    grain: str
    columns: dict[str, str]
    never_null: frozenset[str] = frozenset()
    """Columns with a value in every row: cleaning keeps no other row, and the contract of the source requires it."""
    sql: str

    def text(self, *, corrected: bool, among: str | None = None) -> str:
        """The SQL of the base rows.

        corrected: rows may be delivered again with the same `version_key` and a later `known_at`; of those
        known at the cutoff only the last counts, whatever its event time. Where the source flags corrections, every
        row is held against those few; elsewhere all rows are sorted by key.
        among: a relation of some rows of the source to take instead of all; of a corrected table only where the
        source flags corrections.
        """
        if not corrected:
            return self.sql if among is None else self.sql.replace(f"FROM {self.source}", f"FROM {among}")
        if self.version_key is None:
            raise InvalidFeature(
                f"table {self.table} cannot hold corrected rows",
                expected="a table whose base header names a version_key",
                found="version_key: null",
            )
        return self.sql.replace(f"FROM {self.source}", f"FROM {self._latest(among or self.source)}")

    def _latest(self, told: str) -> str:
        known = f"FROM {self.source} WHERE known_at <= CAST($cutoff AS TIMESTAMP)"
        key = self.version_key
        if self.correction_flag is None:
            return f"(SELECT * {known} QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY known_at DESC) = 1)"
        corrected = f"SELECT {key}, max(known_at) AS last_known_at {known} AND {self.correction_flag} GROUP BY {key}"
        return (
            f"(SELECT told.* FROM {told} AS told LEFT JOIN ({corrected}) AS corrected"
            f" ON corrected.{key} = told.{key} WHERE told.known_at >= coalesce(last_known_at, told.known_at))"
        )


@cache
def load_bases(folder: Path = BASES) -> dict[str, BaseTable]:
    """Every base table by name; raises `InvalidFeature` for a file that does not say what it must."""
    bases = {}
    for path in sorted(folder.glob("*.sql")):
        header, body = split_header(path)
        try:
            base = BaseTable(**header, sql=body)
        except ValidationError as error:
            raise refuse(path, error) from None
        if base.table != path.stem:
            raise InvalidFeature(f"{path.name}: key table", expected=path.stem, found=base.table)
        if f"FROM {base.source}" not in base.sql:
            raise InvalidFeature(f"{path.name}: key source", expected=f"SQL that says FROM {base.source}", found=body)
        bases[base.table] = base
    return bases
