"""What is known of findings at one moment, for `athena why` and for alerts: one text, made when it is told.

A text made while a run is under way would name the command and the published night of before the run's end.
"""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import cached_property

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.monitoring.records import records_of
from athena_assets.monitoring.why import Records, Why, excuse, explain
from checks.overrides import Override, live
from resources.findings import Finding
from resources.settings import Settings
from resources.warehouse import Warehouse

LOCK_WAIT_SECONDS = 0.5
"""A screen is worth more now without rows than later with them."""


class Explainer:
    """Explains findings of one home at one moment.

    wall: on the retailer's wall. at: naive UTC. The home is read when something is first explained.
    """

    def __init__(self, settings: Settings, *, wall: datetime, at: datetime) -> None:
        self._settings = settings
        self._wall = wall
        self._at = at
        self._unreadable: Exception | None = None

    @cached_property
    def lifted(self) -> list[Override]:
        """The overrides that hold; none where the warehouse cannot be read, of which the screen says so itself."""
        try:
            with self._reading() as connection:
                return live(connection, at=self._at)
        except (AthenaError, duckdb.Error):
            return []

    def explain(self, findings: Sequence[Finding], asked: tuple[str, str] | None = None) -> Why:
        """The gravest place of the findings, of which there is at least one; raises `NoHome`, `ManifestDamaged`."""
        return explain(self._records, self._gravest_first(findings), lifted=self.lifted, asked=asked)

    def explain_each(self, findings: Sequence[Finding]) -> list[Why]:
        """Every place of the findings, the gravest first; raises what `explain` does."""
        places: dict[tuple[str, str], list[Finding]] = {}
        for each in self._gravest_first(findings):
            places.setdefault((each.asset, each.partition), []).append(each)
        return [self.explain(each) for each in places.values()]

    def _gravest_first(self, findings: Sequence[Finding]) -> list[Finding]:
        return sorted(
            findings,
            key=lambda each: (excuse(each, self.lifted) is not None, each.severity != "ERROR", each.kind != "check"),
        )

    @cached_property
    def _records(self) -> Records:
        return records_of(self._settings, self._wall, self._reading)

    @contextmanager
    def _reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """The warehouse; one that could not be opened is not waited for again."""
        if self._unreadable is not None:
            raise self._unreadable
        warehouse = Warehouse.of(self._settings).model_copy(update={"lock_wait_seconds": LOCK_WAIT_SECONDS})
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(warehouse.read())
            except (AthenaError, duckdb.Error) as error:
                self._unreadable = error
                raise
            yield connection
