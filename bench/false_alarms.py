"""How often the contracts cry wolf: evaluated over every night of clean data, real and simulated.

Clean means that nobody spoiled it on purpose: whatever the rules find is a true defect of the data, written down with
its reason in `explained_alarms.yaml`, or a rule to mend.
"""

import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from athena_assets.yaml_text import load_yaml
from bench.table import Table

HERE = Path(__file__).parent
EXPLAINED = HERE / "explained_alarms.yaml"
PAGE = HERE.parent / "docs" / "false-alarms.md"
REAL_FIRST_NIGHT, REAL_TRAINED = "2010-09-01", datetime(2011, 4, 1)
SIMULATED_FIRST_NIGHT, SIMULATED_NIGHTS = date(2024, 10, 1), 180
ORCHESTRATED_FIRST_NIGHT, ORCHESTRATED_NIGHTS = date(2024, 12, 20), 10
CUSTOMERS = 5_000


@dataclass(frozen=True)
class Alarm:
    """One rule that failed on one clean night."""

    night: str
    table: str
    rule: str
    severity: str
    sentence: str


@dataclass(frozen=True)
class CleanSet:
    """What the rules said of one set of clean nights."""

    name: str
    source: str
    nights: int
    scored: int
    rules: int
    evaluations: int
    not_evaluated: int
    alarms: tuple[Alarm, ...]


def measure(real: Path | None) -> tuple[list[Table], str]:
    """Every set, two at a time in processes of their own; returns the tables and the page for docs/."""
    jobs: list[tuple[Any, ...]] = [(_simulated,), (_orchestrated,)]
    if real is not None:
        jobs.insert(0, (_real, real))
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        sets = [future.result() for future in [pool.submit(*job) for job in jobs]]
    explained = load_yaml(EXPLAINED.read_text(encoding="utf-8"))
    tables = [_summary(sets, explained), _by_rule(sets, explained)]
    return tables, _page(tables, sets, explained)


def _real(orders: Path) -> CleanSet:
    from athena_assets.sources.source import source_named
    from athena_cli.evening import land_history
    from athena_cli.sources import register_files
    from athena_cli.workplace import Workplace
    from resources.settings import load_settings

    with _home() as folder:
        settings = load_settings()
        source = source_named("online_retail_ii", mapped=settings.home / "mappings")
        register_files(settings, source, [orders], first_night=REAL_FIRST_NIGHT)
        workplace = Workplace(settings)
        land_history(workplace)
        return _straight("Online Retail II", workplace, Path(folder), trained=REAL_TRAINED)


def _simulated() -> CleanSet:
    with _home() as folder:
        workplace = _simulated_home(SIMULATED_FIRST_NIGHT, SIMULATED_NIGHTS)
        trained = datetime.combine(SIMULATED_FIRST_NIGHT, datetime.min.time())
        return _straight("simulated, straight", workplace, Path(folder), trained=trained)


def _orchestrated() -> CleanSet:
    from athena_assets.nights import Night
    from athena_cli.nights import run_night
    from athena_cli.training import month_before, train_month

    with _home():
        workplace = _simulated_home(ORCHESTRATED_FIRST_NIGHT, ORCHESTRATED_NIGHTS)
        first = Night(ORCHESTRATED_FIRST_NIGHT)
        train_month(workplace, month_before(first))
        for number in range(ORCHESTRATED_NIGHTS):
            run_night(workplace, first.plus(number))
        rows = workplace.ask(
            "SELECT partition, asset, rule, severity, status, description, found, allowed FROM monitoring.check_history"
            f" WHERE partition >= '{first.key}' ORDER BY partition, asset, rule"
        )
        alarms = [
            Alarm(night, table, rule, severity, f"{rule}: {description} ({found}, limit {allowed})")
            for night, table, rule, severity, status, description, found, allowed in rows
            if status == "failed"
        ]
        return CleanSet(
            "simulated, orchestrated",
            "simulator",
            nights=ORCHESTRATED_NIGHTS,
            scored=ORCHESTRATED_NIGHTS,
            rules=len({(row[1], row[2]) for row in rows}),
            evaluations=len(rows),
            not_evaluated=sum(row[4] == "not evaluated" for row in rows),
            alarms=tuple(alarms),
        )


def _home() -> "tempfile.TemporaryDirectory[str]":
    """A folder for the home of this process, which ends with it."""
    folder = tempfile.TemporaryDirectory(prefix="athena-bench-")
    for name in ("ATHENA_HOME", "DAGSTER_HOME", "ATHENA_DAGSTER_STORAGE"):
        os.environ[name] = str(Path(folder.name) / "home")
    return folder


def _simulated_home(first_night: date, nights: int) -> Any:
    from athena_assets.sources.simulator.parameters import SimulatorParameters
    from athena_cli.evening import land_history
    from athena_cli.simulating import land_simulator
    from athena_cli.workplace import Workplace
    from resources.settings import load_settings

    settings = load_settings()
    land_simulator(settings, SimulatorParameters(customers=CUSTOMERS, nights=nights, first_night=first_night))
    workplace = Workplace(settings)
    land_history(workplace)
    return workplace


def _straight(name: str, workplace: Any, folder: Path, *, trained: datetime) -> CleanSet:
    """Every delivered night of a home, with predictions from the midnight on at which models are trained."""
    from bench.straight import StraightNights

    first, last = workplace.retailer.first_night, workplace.retailer.last_delivered
    alarms: list[Alarm] = []
    rules: set[tuple[str, str]] = set()
    counts: Counter[str] = Counter()
    nights = scored = 0
    with workplace.warehouse.write() as connection:
        straight = StraightNights(workplace, connection, folder / "versions")
        night = first
        while night <= last:
            if not straight.champions and night.day >= trained.date():
                straight.train(trained)
            nights, scored = nights + 1, scored + bool(straight.champions)
            for table in straight.run(night):
                for result in table.results:
                    rules.add((table.contract.address, result.rule.id))
                    counts[result.status] += 1
                    if not result.passed:
                        alarm = (night.key, table.contract.address, result.rule.id, result.rule.severity)
                        alarms.append(Alarm(*alarm, result.sentence()))
            night = night.plus(1)
    return CleanSet(
        name,
        workplace.source.name,
        nights=nights,
        scored=scored,
        rules=len(rules),
        evaluations=sum(counts.values()),
        not_evaluated=counts["not evaluated"],
        alarms=tuple(alarms),
    )


def reason_of(alarm: Alarm, source: str, explained: Sequence[dict[str, Any]]) -> str | None:
    """Why an alarm is no false one; None where nobody knows."""
    for entry in explained:
        days = entry["from"] <= date.fromisoformat(alarm.night) <= entry["to"]
        if days and entry["rule"] == alarm.rule and entry["source"] == source:
            return str(entry["because"]).strip()
    return None


def _summary(sets: Sequence[CleanSet], explained: Sequence[dict[str, Any]]) -> Table:
    rows = []
    for each in sets:
        unexplained = [alarm for alarm in each.alarms if reason_of(alarm, each.source, explained) is None]
        blocked = {alarm.night for alarm in each.alarms if alarm.severity == "ERROR"}
        told = {alarm.night for alarm in each.alarms} - blocked
        rows.append(
            (
                each.name,
                f"{each.nights} ({each.scored})",
                f"{each.rules:,}",
                f"{each.evaluations:,}",
                f"{each.not_evaluated:,}",
                str(len(blocked)),
                str(len(told)),
                str(len({alarm.night for alarm in unexplained})),
                f"{100 * len({alarm.night for alarm in unexplained}) / each.nights:.2f}",
            )
        )
    return Table(
        "False alarms on clean nights",
        (
            "nights",
            "nights (scored)",
            "rules",
            "evaluations",
            "without history",
            "nights blocked",
            "nights told of",
            "unexplained",
            "per 100 nights",
        ),
        tuple(rows),
        ("Everything that fails in one night is one alert, so nights are counted, each once.",),
    )


def _by_rule(sets: Sequence[CleanSet], explained: Sequence[dict[str, Any]]) -> Table:
    rows = []
    for each in sets:
        found = Counter((alarm.table, alarm.rule, alarm.severity) for alarm in each.alarms)
        for (table, rule, severity), count in sorted(found.items()):
            nights = [alarm for alarm in each.alarms if (alarm.table, alarm.rule) == (table, rule)]
            known = sum(reason_of(alarm, each.source, explained) is not None for alarm in nights)
            rows.append((each.name, f"{table}: {rule}", severity, str(count), str(known), nights[0].night))
    return Table(
        "What failed", ("nights", "rule", "severity", "times", "explained", "first"), tuple(rows or [("nothing",) * 6])
    )


def _page(tables: Sequence[Table], sets: Sequence[CleanSet], explained: Sequence[dict[str, Any]]) -> str:
    lines = [
        "# False alarms",
        "",
        "How often the contracts fail on clean data (`python -m bench false-alarms --real FILE`): straight in DuckDB",
        f"over every night of the real file from {REAL_FIRST_NIGHT} on and over {SIMULATED_NIGHTS} simulated",
        f"nights from {SIMULATED_FIRST_NIGHT} on, Christmas among them; and over {ORCHESTRATED_NIGHTS} orchestrated",
        f"nights from {ORCHESTRATED_FIRST_NIGHT} on. Nobody spoiled these data: whatever fails is a true defect or",
        "event of them, explained below, or a rule to mend.",
        "",
    ]
    for table in tables:
        lines += [table.markdown(), ""]
    lines += ["## Each alarm", ""]
    for each in sets:
        for alarm in each.alarms:
            reason = reason_of(alarm, each.source, explained) or "unexplained"
            lines.append(f"- {each.name}, {alarm.night}, {alarm.table}, {alarm.severity}: {alarm.sentence}. {reason}")
    return "\n".join(lines) + "\n"
