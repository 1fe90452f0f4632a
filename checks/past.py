"""What a rule's figure was on earlier partitions, for the rules that compare a figure with its own history.

Figures of nights come from `monitoring.check_history`: the latest evaluation of each night by today's SQL, unless it
was refused and nobody's override was relied on. What was recorded before the history kept the SQL's hash counts as
long as the contract has the same version: left out, it would turn the rules of an older home off for a month. Where
there are too few nights yet, the bulk history's own days stand in, if the table has a history. A rule with a season
also gets the figures of the same week a year before, from either.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta

import duckdb

from athena_assets.sql import has_table
from checks.bulk_figures import figures_between, last_figures
from checks.contract import Band, Contract
from checks.overrides import EVERY_CHECK
from checks.rules import Past, Rule
from checks.verdicts import has_figure_hashes

HISTORY = "monitoring.check_history"
DAYS_PER_PARTITION = 2
"""Days of the bulk history looked at for each partition that is missing: shops close, and quiet days do not count."""
YEAR = timedelta(days=365)
SAME_WEEK = timedelta(days=3)
OLDEST = timedelta(days=400)
"""How far back recorded figures are read at all."""


def past_figures(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], *, before: str
) -> Mapping[str, tuple[Past, ...]]:
    """Earlier figures of every rule with a band, newest first, by rule id.

    At most the band's `partitions` each, and with a season those of the same week a year before.
    """
    banded = [rule for rule in rules if rule.band is not None]
    if not banded:
        return {}
    bands = {rule.id: rule.band for rule in banded if rule.band is not None}
    night = date.fromisoformat(before)
    found = _Figures(bands, night)
    for rule, partition, figure, rows, told in _recorded(connection, contract, banded, night):
        found.add(rule, date.fromisoformat(partition), Past(float(figure), int(rows), told=bool(told)))
    if contract.history and has_table(connection, contract.twin().address):
        for since, until, wanted in found.stretches_missing():
            # Rules that need the partition's key have no figures there.
            usable = [rule for rule in rules if rule.id in wanted and "$partition" not in rule.expression]
            if since is None:
                days = DAYS_PER_PARTITION * found.longest(usable)
                figures = last_figures(connection, contract, usable, until=until, days=days)
            else:
                figures = figures_between(connection, contract, usable, since, until)
            for each in figures:
                found.add(each.rule, each.day, Past(each.figure, each.rows))
    return {rule: tuple(found.of(rule)) for rule in bands}


class _Figures:
    """Earlier figures by rule and day; a day that was recorded is not asked for again."""

    def __init__(self, bands: Mapping[str, Band], night: date) -> None:
        self._bands = bands
        self._night = night
        self._by_day: dict[str, dict[date, Past]] = {rule: {} for rule in bands}

    def add(self, rule: str, day: date, past: Past) -> None:
        """Keep a day's figure, unless there is one or it comes from too few rows."""
        if past.rows >= self._bands[rule].minimum_rows:
            self._by_day[rule].setdefault(day, past)

    def of(self, rule: str) -> list[Past]:
        """The last figures, newest first, then those of the year before."""
        band, by_day = self._bands[rule], self._by_day[rule]
        recent = [by_day[day] for day in sorted(by_day, reverse=True)[: band.partitions]]
        if not band.season:
            return recent
        first, last = _week_before(self._night)
        return recent + [
            replace(by_day[day], year_before=True, told=False)
            for day in sorted(by_day, reverse=True)
            if first <= day <= last
        ]

    def stretches_missing(self) -> list[tuple[date | None, date, set[str]]]:
        """Days of the bulk history that stand in: first (None for the last ones it has), last, and for which rules."""
        short = {rule for rule, band in self._bands.items() if len(self._by_day[rule]) < band.partitions}
        first, last = _week_before(self._night)
        seasonal = {
            rule
            for rule, band in self._bands.items()
            if band.season and not any(first <= day <= last for day in self._by_day[rule])
        }
        stretches: list[tuple[date | None, date, set[str]]] = []
        if short:
            stretches.append((None, self._night - timedelta(days=1), short))
        if seasonal:
            stretches.append((first, last, seasonal))
        return stretches

    def longest(self, rules: Sequence[Rule]) -> int:
        """How many partitions the rules look back at most."""
        return max((self._bands[rule.id].partitions for rule in rules), default=0)


def _week_before(night: date) -> tuple[date, date]:
    return night - YEAR - SAME_WEEK, night - YEAR + SAME_WEEK


def _recorded(
    connection: duckdb.DuckDBPyConnection, contract: Contract, rules: Sequence[Rule], night: date
) -> list[tuple[str, str, float, int, bool]]:
    if not has_table(connection, HISTORY):
        return []
    figure_hash = "figure_hash" if has_figure_hashes(connection) else "CAST(NULL AS VARCHAR)"
    found = connection.execute(
        "WITH today AS (SELECT unnest($rules) AS rule, unnest($hashes) AS hash), latest AS ("
        f" SELECT rule, partition, check_name, severity, figure, rows, status FROM {HISTORY} JOIN today USING (rule)"
        " WHERE asset = $asset AND partition < $before AND partition >= $oldest"
        f" AND ({figure_hash} = hash OR ({figure_hash} IS NULL AND contract_version = $version))"
        " QUALIFY row_number() OVER (PARTITION BY rule, partition ORDER BY evaluation DESC) = 1)"
        " SELECT rule, partition, figure, rows, status = 'failed', severity, check_name FROM latest"
        " WHERE figure IS NOT NULL",
        {
            "asset": contract.address,
            "rules": [rule.id for rule in rules],
            "hashes": [rule.figure_hash for rule in rules],
            "version": contract.version,
            "before": night.isoformat(),
            "oldest": (night - OLDEST).isoformat(),
        },
    ).fetchall()
    refused = any(failed and severity != "WARN" for *_, failed, severity, _ in found)
    let_through = _let_through(connection, contract.address) if refused else []
    return [
        (rule, partition, figure, rows, failed)
        for rule, partition, figure, rows, failed, severity, check in found
        if not failed
        # What was published has become part of what is normal: else a new level of prices would fail for ever.
        or severity == "WARN"
        or any(first <= partition <= last and scope in (EVERY_CHECK, check) for first, last, scope in let_through)
    ]


def _let_through(connection: duckdb.DuckDBPyConnection, asset: str) -> list[tuple[str, str, str]]:
    """First and last partition and check of every override of an asset that something was computed on."""
    return connection.execute(
        "SELECT DISTINCT one.first_partition, one.last_partition, one.check_name"
        " FROM gate.override AS one JOIN gate.override_use AS used ON used.override = one.id WHERE one.asset = $asset",
        {"asset": asset},
    ).fetchall()
