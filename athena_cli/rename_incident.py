"""The renamed column, played through: good nights, the renamed extract without and with Athena, the way back.

Two clocks run. The retailer's is simulated: its nights and the arrival of its deliveries. This machine's is real:
whatever is measured in seconds, and what runs, findings and acceptances record.
"""

import hashlib
import json
import os
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from datetime import date, datetime
from io import StringIO
from pathlib import Path
from typing import TypeVar

import duckdb

from athena_assets.errors import AthenaError
from athena_assets.impact import impact_graph
from athena_assets.incidents.extracts import MAPPING, NightlyDelivery, Retailer, deliver
from athena_assets.incidents.figures import POSITIVE, measure
from athena_assets.incidents.naive import NaiveNight, run_naive_night
from athena_assets.incidents.record import (
    Alert,
    Incident,
    Published,
    Recovery,
    Refusal,
    Registered,
    ReplayContradicted,
    refuse_contradiction,
)
from athena_assets.incidents.side_by_side import morning
from athena_assets.lifecycle.artifact import load_artifact
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.nights import Night
from athena_assets.predictions.prediction_contract import probability_column
from athena_assets.predictions.publish import LATEST, night_of
from athena_assets.sources.aliases import read_aliases
from athena_assets.sources.corrections import corrections
from athena_assets.sources.deliveries import Delivery
from athena_assets.sources.errors import ColumnsDiffer, NightNotDelivered
from athena_assets.sources.simulator.parameters import SimulatorParameters
from athena_assets.sources.simulator.scenarios import TOTAL_RENAMED
from athena_cli.clock import showing
from athena_cli.output import doing
from athena_cli.why import look
from athena_cli.workplace import Workplace
from resources.findings import Findings
from resources.settings import Settings, load_settings

GOOD_NIGHTS = 3
TABLE = "raw.orders"
((OLD, NEW),) = TOTAL_RENAMED.items()
WHO, WHY = "the engineer on call", "renamed by a release of the order system, whose owner says that it means the same"


def play(folder: Path, *, customers: int, seed: int) -> Incident:
    """Play the incident in an empty folder and return what was found; raises `ReplayContradicted`."""
    started = time.perf_counter()
    parameters = SimulatorParameters(customers=customers, nights=GOOD_NIGHTS + 1, seed=seed)
    parameters = replace(parameters, rename_from=parameters.day(parameters.days - 1))
    with doing(f"simulating {customers:,} customers whose order system exports everything every night"):
        retailer = deliver(parameters, folder / "deliveries", scratch=folder / "simulator")
    with _own_home(folder / "home") as settings:
        return _Replay(settings, retailer, folder / "naive", started).play()


@contextmanager
def _own_home(home: Path) -> Iterator[Settings]:
    """A process whose home is this one and whose alerts reach nobody outside, put back afterwards."""
    before = dict(os.environ)
    os.environ["ATHENA_HOME"] = str(home)
    os.environ.pop("ATHENA_ALERT_URLS", None)
    try:
        yield load_settings()
    finally:
        os.environ.clear()
        os.environ.update(before)


@dataclass(frozen=True)
class _Replay:
    """One replay in a home of its own."""

    settings: Settings
    retailer: Retailer
    naive: Path
    started: float

    @property
    def _good(self) -> tuple[NightlyDelivery, ...]:
        return self.retailer.nights[:-1]

    @property
    def _renamed(self) -> NightlyDelivery:
        return self.retailer.nights[-1]

    def play(self) -> Incident:
        """The story in its order."""
        workplace = self._good_nights()
        (spec,) = workplace.athena.models
        before = self._published(spec)
        naive_before, naive_after = self._naive_nights(workplace, spec)
        refusal = self._refusal()
        during, nights_during = self._published(spec), self._nights(spec)
        recovery = self._recovery(spec, refusal)
        champion = workplace.registry.champion(spec.name)
        affected = impact_graph(workplace.source, cache=self.settings.cache).of(TABLE, [OLD])
        incident = Incident(
            customers=before.customers,
            champion=f"{spec.name} version {champion.version}",
            good_nights=tuple(each.night.day for each in self._good),
            identical=self._identical(spec, naive_before),
            naive=measure(
                naive_before, naive_after, [each.name for each in affected.features], next(iter(spec.risk_tiers))
            ),
            before=before,
            refusal=refusal,
            during=during,
            nights_during=nights_during,
            downstream=affected,
            recovery=recovery,
            deliveries=tuple(_registered(each) for each in workplace.landing.deliveries()),
            seconds=time.perf_counter() - self.started,
        )
        refuse_contradiction(incident)
        return incident

    def _good_nights(self) -> Workplace:
        """The history and every good night, each loaded at its hour; then a champion, and the nights run."""
        first = self._good[0].night
        with showing(NightlyDelivery(first.plus(-1), self.retailer.history).arrived_at):
            _athena("load", "--mapping", MAPPING, "--first-night", first.key, self.retailer.history)
        for delivery in self._good:
            self._load(delivery)
        _athena("run", "--source", self.retailer.source.name)
        return Workplace(self.settings)

    def _load(self, delivery: NightlyDelivery) -> None:
        """`athena load --night D FOLDER`, at the hour at which the folder came."""
        with showing(delivery.arrived_at):
            _athena("load", "--night", delivery.night.key, delivery.folder)

    def _naive_nights(self, workplace: Workplace, spec: ModelSpec) -> tuple[NaiveNight, NaiveNight]:
        """The naive pipeline on the last good night and on the renamed one, with the champion of both."""
        artifact = load_artifact(workplace.registry.champion(spec.name).verify().path, threads=self.settings.threads)
        features = workplace.athena.feature_set
        with doing("the naive pipeline: columns by name, null where a name is gone"):
            before, after = (
                run_naive_night(self.retailer, each.night, spec, artifact, features, self.naive)
                for each in (self._good[-1], self._renamed)
            )
        return before, after

    def _refusal(self) -> Refusal:
        """The renamed extract is delivered to Athena, and then the hour of the night comes."""
        delivery = self._renamed
        started = time.perf_counter()
        refused = _refused(ColumnsDiffer, lambda: self._load(delivery))
        seconds = time.perf_counter() - started
        with showing(delivery.night.cutoff):
            night = _refused(NightNotDelivered, lambda: _athena("night", delivery.night.key))
        with showing(morning(delivery.arrived_at)):
            why = look(Workplace(self.settings), TABLE, delivery.night.key)
        place = (TABLE, delivery.night.key, "athena load")
        (finding,) = [each for each in Findings(self.settings.home).open() if each.finding.place == place]
        return Refusal(
            night=delivery.night.day,
            folder=delivery.folder,
            arrived_at=delivery.arrived_at,
            seconds=seconds,
            error=type(refused).__name__,
            text=str(refused),
            mend=refused.next_command or "",
            why=why.screen() if why is not None else "nothing is wrong",
            night_said=night.what,
            recorded_at=finding.first_seen,
            alerts=_alerts(self.settings.home, delivery.night),
        )

    def _recovery(self, spec: ModelSpec, refusal: Refusal) -> Recovery:
        """A person runs the commands that the refusal printed, with a name and a reason in their places."""
        commands = [
            [{"NAME": WHO, "TEXT": WHY}.get(word, word) for word in shlex.split(command)]
            for command in refusal.mend.split(" && ")
        ]
        started = time.perf_counter()
        for _, *words in commands:
            with showing(morning(refusal.arrived_at)):
                _athena(*words)
        seconds = time.perf_counter() - started
        (alias,) = read_aliases(self.settings.home)
        evaluated, failed = self._rules()
        return Recovery(
            commands=tuple(shlex.join(command) for command in commands),
            alias=alias,
            seconds=seconds,
            rules_evaluated=evaluated,
            rules_failed=failed,
            earlier_rows_changed=self._rewritten(),
            open_findings=sum(
                each.finding.severity == "ERROR" and each.finding.partition == self._renamed.night.key
                for each in Findings(self.settings.home).open()
            ),
            published=self._published(spec),
        )

    def _published(self, spec: ModelSpec) -> Published:
        """What readers find now."""
        path = self.settings.published / "predictions" / spec.name / LATEST
        with duckdb.connect() as connection:
            ((as_of, customers, positive, highest, value),) = connection.execute(
                f"SELECT max(as_of), count(*), avg(CAST({probability_column(spec)} >= {POSITIVE} AS INTEGER)),"
                " count(*) FILTER (WHERE risk_tier = $tier), sum(expected_value_at_risk) FROM read_parquet($path)",
                {"path": str(path), "tier": next(iter(spec.risk_tiers))},
            ).fetchall()
        night = night_of(path)
        assert night is not None
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        return Published(night, as_of, customers, positive, highest, value, sha256)

    def _nights(self, spec: ModelSpec) -> tuple[date, ...]:
        """Nights whose predictions are published, in the warehouse or as a file."""
        rows = Workplace(self.settings).ask(f"SELECT DISTINCT night FROM predictions.{spec.name}")
        folders = (self.settings.published / "predictions" / spec.name).glob("night=*")
        return tuple(sorted({row[0] for row in rows} | {date.fromisoformat(each.name[6:]) for each in folders}))

    def _identical(self, spec: ModelSpec, naive: NaiveNight) -> int:
        """How many predictions of a night both pipelines give alike: probability, tier and money."""
        published = Workplace(self.settings).ask(
            f"SELECT customer_id, {probability_column(spec)}, risk_tier, expected_value_at_risk"
            f" FROM predictions.{spec.name} WHERE night = DATE '{naive.night.key}'"
        )
        made = zip(naive.customers, naive.probability.tolist(), naive.tier, naive.value_at_risk, strict=True)
        return len(set(published) & set(made))

    def _rules(self) -> tuple[int, int]:
        """How many blocking rules were evaluated for the renamed night, and how many of them failed."""
        ((evaluated, failed),) = Workplace(self.settings).ask(
            "SELECT count(*), count(*) FILTER (WHERE status <> 'passed') FROM monitoring.check_history"
            f" WHERE partition = '{self._renamed.night.key}' AND severity = 'ERROR'"
        )
        return int(evaluated), int(failed)

    def _rewritten(self) -> int:
        """Rows of earlier nights that the renamed extract tells otherwise than they were landed."""
        workplace, night = Workplace(self.settings), self._renamed.night
        delivery = workplace.landing.for_night(workplace.source.name, night)
        rows = 0
        with workplace.warehouse.read() as connection:
            for table in workplace.source.tables:
                if workplace.source.repeats_earlier_nights(table, delivery.kind):
                    selects = workplace.landing.raw_selects(connection, workplace.source, delivery, table)
                    found = corrections(connection, table, selects, night)
                    rows += found.not_landed + found.no_longer_told
        return rows


Failure = TypeVar("Failure", bound=AthenaError)


def _athena(*words: object) -> None:
    """Run a command as the shell would, in this process; an error is raised, and what it prints is not shown."""
    from athena_cli.main import app

    with redirect_stdout(StringIO()):
        app([str(word) for word in words], prog_name="athena", standalone_mode=False)


def _refused(expected: type[Failure], act: Callable[[], None]) -> Failure:
    """The error with which something is refused; raises `ReplayContradicted` where it is not."""
    try:
        act()
    except expected as error:
        return error
    raise ReplayContradicted(
        "Athena went on where it should have refused", expected=expected.__name__, found="no error at all"
    )


def _alerts(home: Path, night: Night) -> tuple[Alert, ...]:
    """The alerts of a night as the file channel was told of them, each once."""
    path = home / "monitoring" / "alerts.jsonl"
    told = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.exists() else []
    first = {each["id"]: each for each in reversed(told) if each["key"] == f"night {night.key}"}
    return tuple(
        Alert(each["title"], each["next"], datetime.fromisoformat(each["sent_at"])) for _, each in sorted(first.items())
    )


def _registered(delivery: Delivery) -> Registered:
    return Registered(
        delivery_id=delivery.delivery_id,
        first_night=delivery.first_night,
        last_night=delivery.last_night,
        registered_at=delivery.registered_at,
        rows=sum(file.rows for file in delivery.files),
        rows_landed=sum(file.rows_to_land for file in delivery.files),
    )
