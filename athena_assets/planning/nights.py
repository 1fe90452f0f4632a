"""A backfill ahead: what running a range of nights would touch, what would refuse it, and what it would change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import duckdb

from athena_assets.errors import InvalidArgument
from athena_assets.lifecycle.artifact import Artifact, load_artifact
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.nights import Night
from athena_assets.opening.delivered import refuse_history, refuse_impossible
from athena_assets.opening.versions import champions_of, current_versions
from athena_assets.orders.continuity import outdated_nights, refuse_gaps, refuse_outdated
from athena_assets.pins import FEATURE_SET, SOURCE_SNAPSHOT, model_subject, need_pin, pins_of_run, read_pins
from athena_assets.planning.difference import Difference, compare, night_file, planned_scores
from athena_assets.planning.minutes import Minutes, minutes_of_nights
from athena_assets.planning.refusals import Refusal, Refusals
from athena_assets.predictions.scores import refuse_changed_features
from athena_assets.sources.deliveries import Delivery, snapshot_until
from athena_assets.sources.errors import NightNotDelivered
from athena_assets.sources.landing import Landing
from checks.verdicts import has_gate
from resources.registry import ModelRegistry
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from athena_assets.definitions import Athena

JOB = "night"
LONGEST = 800
"""Nights in one plan: two years and a quarter."""

SAME_BYTES = "the pins give the same bytes"


@dataclass(frozen=True)
class NightAhead:
    """One night of the range as it stands, and what a run would make of it. `exists` are assets that are written."""

    night: str
    exists: tuple[str, ...]
    published: bool
    outcome: str
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True)
class NightsPlan:
    """What running the nights from `first` to `last`, one after the other, would do."""

    first: str
    last: str
    current: bool
    assets: tuple[str, ...]
    """Assets that are made for every night."""
    also: tuple[str, ...]
    """Assets without partitions that every run makes anew."""
    nights: tuple[NightAhead, ...]
    refusals: tuple[Refusal, ...]
    overrides: tuple[str, ...]
    """Overrides that the run would rely on."""
    minutes: Minutes
    later: tuple[str, ...]
    """Published nights after the first one, outside of the range, that read what the range makes."""
    stale: tuple[str, ...]
    """Those of them that were, or would be, published from other deliveries than those that count."""

    @property
    def partitions(self) -> int:
        """Partitions that would be written."""
        return len(self.assets) * len(self.nights)

    @property
    def goes_through(self) -> bool:
        """Whether nothing is known that would refuse."""
        return not self.refusals


def range_of(first: Night, last: Night) -> tuple[Night, ...]:
    """The nights from the first to the last; raises `InvalidArgument` for an empty range or one beyond `LONGEST`."""
    count = (last.day - first.day).days + 1
    if not 1 <= count <= LONGEST:
        raise InvalidArgument(
            "the range of nights is empty" if count < 1 else "the range of nights is too long for one plan",
            expected=f"a last night from {first.key} to {first.plus(LONGEST - 1).key}",
            found=last.key,
            next_command=f"athena plan nights {first.key}",
        )
    return tuple(first.plus(offset) for offset in range(count))


def plan_nights(
    athena: "Athena", first: Night, last: Night, *, current: bool, at: datetime, now: datetime
) -> NightsPlan:
    """Plan the range; reads the home and writes nothing.

    current: as of `athena night --current`. at: naive UTC, for overrides that expire. now: on the retailer's wall.
    Raises `InvalidArgument` for a range that cannot be meant.
    """
    nights = range_of(first, last)
    refuse_history(athena.retailer, first)
    warehouse = Warehouse.of(athena.settings)
    if not athena.settings.warehouse_path.exists():
        with duckdb.connect() as nothing:
            return _Planner(athena, nothing, current, at, now).plan(nights)
    with warehouse.read() as connection:
        return _Planner(athena, connection, current, at, now).plan(nights)


class _Planner:
    """One look at one home."""

    def __init__(
        self, athena: "Athena", connection: duckdb.DuckDBPyConnection, current: bool, at: datetime, now: datetime
    ) -> None:
        from checks.ahead import JobAhead

        self._athena, self._connection, self._current = athena, connection, current
        self._at, self._now = at, now
        self._landing = Landing.of(athena.settings.home)
        self._registry = ModelRegistry(athena.settings.home)
        self._deliveries = self._landing.deliveries(athena.retailer.source.name)
        self._models = [spec.name for spec in athena.models]
        self._champions: dict[str, str] = {}
        self._job = JobAhead(athena.definitions, JOB)
        self._artifacts: dict[tuple[str, str], Artifact] = {}
        self._refusals = Refusals()
        self._written = self._partitions_written()

    def plan(self, nights: Sequence[Night]) -> NightsPlan:
        with self._refusals.of(nights[0].key):
            self._champions = champions_of(self._registry, self._models)
        runnable = {night.key: night for night in nights if self._is_delivered(night)}
        overrides: tuple[str, ...] = ()
        if runnable:
            self._look_before(next(iter(runnable.values())))
            overrides = self._look_at_gate(list(runnable), [night.key for night in nights])
        ahead = tuple(self._night(night, runnable=night.key in runnable) for night in nights)
        later = self._later(nights)
        outdated = outdated_nights(self._connection, self._deliveries)
        return NightsPlan(
            first=nights[0].key,
            last=nights[-1].key,
            current=self._current,
            assets=self._job.partitioned,
            also=self._job.unpartitioned,
            nights=ahead,
            refusals=self._refusals.all,
            overrides=overrides,
            minutes=minutes_of_nights(self._athena.settings.usage_path, self._models[0], len(nights)),
            later=later,
            stale=tuple(night for night in later if night in outdated),
        )

    def _partitions_written(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        if has_gate(self._connection):
            rows = self._connection.execute("SELECT partition, asset FROM gate.materialisation ORDER BY ALL").fetchall()
            for partition, asset in rows:
                found.setdefault(partition, set()).add(asset)
        return found

    def _is_published(self, night: str) -> bool:
        return all(f"predictions.{model}" in self._written.get(night, ()) for model in self._models)

    def _is_delivered(self, night: Night) -> bool:
        """Whether the night can be landed: it was delivered, and the files are what was registered."""
        try:
            refuse_impossible(self._athena.retailer, self._deliveries, night, now=self._now)
        except (InvalidArgument, NightNotDelivered) as missing:
            self._refusals.add(missing, night.key)
            return False
        for delivery in self._deliveries:
            if delivery.covers(night.day):
                self._look_at_files(delivery, night)
        return True

    def _look_at_files(self, delivery: Delivery, night: Night) -> None:
        with self._refusals.of(night.key), duckdb.connect() as connection:
            for table in self._athena.retailer.raw_tables:
                self._landing.raw_selects(connection, self._athena.retailer.source, delivery, table)

    def _look_before(self, first: Night) -> None:
        """What of earlier nights would stop the first; those of the range are made in order before they are read."""
        first_night = self._athena.retailer.first_night
        with self._refusals.of(first.key):
            refuse_gaps(self._connection, deliveries=self._deliveries, first_night=first_night, until=first)
        with self._refusals.of(first.key):
            refuse_outdated(self._connection, deliveries=self._deliveries, before=first)

    def _look_at_gate(self, runnable: Sequence[str], nights: Sequence[str]) -> tuple[str, ...]:
        """What is read from outside of the range; that a night of it is missing has been said already."""
        from checks.gate import UpstreamUnverified

        found, relied_on = self._job.gaps(self._connection, runnable, at=self._at)
        gaps = [gap for gap in found if gap.asset not in self._job.partitioned or gap.partition not in nights]
        for asset in dict.fromkeys(gap.asset for gap in gaps):
            of_asset = [gap for gap in gaps if gap.asset == asset]
            self._refusals.add(UpstreamUnverified(f"the job {JOB}", of_asset), runnable[0])
        return tuple(override.sentence() for override in relied_on)

    def _night(self, night: Night, *, runnable: bool) -> NightAhead:
        published = self._is_published(night.key)
        written = self._written.get(night.key, set())
        exists = tuple(asset for asset in self._job.partitioned if asset in written)
        if not runnable:
            return NightAhead(night.key, exists, published, "not delivered")
        snapshot = snapshot_until(self._deliveries, night)
        now = current_versions(snapshot, self._athena.feature_set.version, self._champions)
        pins: dict[str, str] | None = None
        with self._refusals.of(night.key):
            pins = pins_of_run(self._connection, night, now, models=self._models, use_current=self._current)
            need_pin(pins, FEATURE_SET, self._athena.feature_set.version, night)
        for spec in self._athena.models:
            self._look_at_model(spec, pins or now, night)
        if not published:
            return NightAhead(night.key, exists, published, "would be published for the first time")
        before = read_pins(self._connection, night, missing_ok=True)
        moved = [
            name
            for subject, name in ((SOURCE_SNAPSHOT, "deliveries"), (FEATURE_SET, "feature set"))
            if before.get(subject) != now[subject]
        ]
        if not self._current and not moved:
            return NightAhead(night.key, exists, published, SAME_BYTES)
        outcome = "the stored features scored by the champion in production now"
        if moved:
            outcome += f"; what the other {' and '.join(moved)} would change in the features themselves is not in it"
        if not self._current:
            outcome = f"refused without --current; with it: {outcome}"
        differences = [self._difference(spec, night) for spec in self._athena.models]
        return NightAhead(night.key, exists, published, outcome, tuple(each for each in differences if each))

    def _look_at_model(self, spec: ModelSpec, pins: dict[str, str], night: Night) -> None:
        """The version that would score: there is one, its files are whole, its features are defined as they were."""
        with self._refusals.of(night.key):
            version = pins.get(model_subject(spec.name)) or self._registry.champion(spec.name).version
            refuse_changed_features(self._artifact(spec, version), self._athena.feature_set)

    def _artifact(self, spec: ModelSpec, version: str) -> Artifact:
        if (spec.name, version) not in self._artifacts:
            path = self._registry.version(spec.name, version).verify().path
            self._artifacts[spec.name, version] = load_artifact(path, threads=self._athena.settings.threads)
        return self._artifacts[spec.name, version]

    def _difference(self, spec: ModelSpec, night: Night) -> Difference | None:
        """None where there is no file to compare with, or nothing to score with."""
        file = night_file(self._athena.settings.published, spec.name, night)
        version = self._champions.get(spec.name)
        if version is None or not file.exists():
            return None
        with self._refusals.of(night.key):
            artifact = self._artifact(spec, version)
            planned = planned_scores(self._connection, spec, artifact, self._athena.feature_set, night)
            return compare(spec, night, file, planned, version=version)
        return None

    def _later(self, nights: Sequence[Night]) -> tuple[str, ...]:
        """Published nights that read what the range makes, and are not of it."""
        made = [night.key for night in nights]
        after = [night for night in sorted(self._written) if night > made[0] and night not in made]
        return tuple(night for night in after if self._is_published(night) and self._job.reads(night, made))
