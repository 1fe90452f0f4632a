"""What a full extract says of earlier nights, compared with what those nights landed.

A full extract repeats everything known so far. Its rows of earlier nights are not landed again: a published night
stays what it was. Where they differ from what was landed, a person must know that the source has rewritten the past.
"""

from dataclasses import dataclass

import duckdb

from athena_assets.nights import Night
from athena_assets.sources.source import RawSelect
from athena_assets.sources.tables import RAW_TABLES


@dataclass(frozen=True)
class Corrections:
    """Rows of earlier nights, counted as often as they stand; a changed row counts on both sides.

    `not_landed`: told by the extract and not landed so; `no_longer_told`: landed, and the extract has them no more.
    """

    not_landed: int
    no_longer_told: int

    @property
    def figures(self) -> dict[str, int]:
        """As figures of a materialisation."""
        return {"earlier_rows_not_landed": self.not_landed, "earlier_rows_no_longer_told": self.no_longer_told}

    @property
    def any(self) -> bool:
        """Whether the extract tells the past otherwise than it was landed."""
        return bool(self.not_landed or self.no_longer_told)


def corrections(
    connection: duckdb.DuckDBPyConnection, table: str, selects: tuple[RawSelect, ...], night: Night
) -> Corrections:
    """Compare one table of a full extract with the earlier nights in `raw.<table>` and `raw.<table>_history`.

    selects: the extract's files, as `Landing.raw_selects` reads them. Contents are compared, and when a row became
    known; which delivery brought it is not.
    """
    content = ", ".join(["known_at", *(column.name for column in RAW_TABLES[table].columns)])
    columns = f"SELECT {content} FROM raw.{table}"
    landed = f"{columns}_history UNION ALL {columns} WHERE night < $this_night"
    connection.execute(f"CREATE OR REPLACE TEMP TABLE told AS {columns} WHERE false")
    for select in selects:
        connection.execute(
            f"INSERT INTO told SELECT {content} FROM ({select.sql}) WHERE night < $this_night",
            {**select.parameters, "this_night": night.day},
        )
    counts = []
    for left, right in ((f"SELECT {content} FROM told", landed), (landed, f"SELECT {content} FROM told")):
        ((rows,),) = connection.execute(
            f"SELECT count(*) FROM (SELECT * FROM ({left}) EXCEPT ALL SELECT * FROM ({right}))",
            {"this_night": night.day},
        ).fetchall()
        counts.append(int(rows))
    connection.execute("DROP TABLE told")
    return Corrections(*counts)
