"""What a table held when it was last delivered: what a refused file's columns are compared with."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import duckdb

from athena_assets.sources.errors import SourceError
from athena_assets.sources.rename import ENOUGH_ROWS, NIGHTS_COMPARED, LastGood
from athena_assets.sources.source import RawSelect, Source

if TYPE_CHECKING:
    from athena_assets.sources.landing import Landing


def last_good(
    landing: Landing, connection: duckdb.DuckDBPyConnection, source: Source, table: str, *, before: date | None
) -> LastGood | None:
    """The last delivery of the table before that night, with earlier ones where its rows are few.

    None where nothing of it can be read.
    """
    earlier = [each for each in landing.deliveries(source.name) if before is None or each.last_night < before]
    selects: list[RawSelect] = []
    rows, last_night = 0, date.min
    for delivery in sorted(earlier, key=lambda each: (each.last_night, each.kind == "nightly"), reverse=True):
        if rows >= ENOUGH_ROWS or (last_night - delivery.last_night).days >= NIGHTS_COMPARED:
            break
        files = delivery.files_of(table)
        try:
            found = landing.raw_selects(connection, source, delivery, table)
        except SourceError:
            # Gone or changed since: an older one is still something to compare with.
            continue
        selects += [select for select, file in zip(found, files, strict=True) if file.rows]
        rows += sum(file.rows for file in files)
        last_night = max(last_night, delivery.last_night) if rows else last_night
    return LastGood(tuple(selects), last_night) if selects else None
