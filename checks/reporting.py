"""What every check does with what it found: verdict, history, finding, and Dagster's own result for the UI.

One way for the checks of contracts, of the account and of models, so that none can be seen in the UI and unknown to the
gate, or the other way round.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import dagster as dg
import duckdb

from athena_assets.errors import AthenaError
from athena_assets.monitoring.records import records_of
from athena_assets.monitoring.why import Why, explain
from athena_assets.sources.aliases import source_of_home
from checks import overrides, verdicts
from checks.contract import Contract, Severity
from resources.attached import beside
from resources.findings import Finding, Findings
from resources.home import need_home
from resources.settings import load_settings
from resources.steps import home_of

MOST_FAULTS_SHOWN = 20
MOST_SCREENS = 3


class Result(dg.AssetCheckResult):
    """One of a step's results, all about one asset: Dagster's record of the write that they judge is read once."""

    judged: list[Any]
    """That record once it has been read; the results of the step share it."""

    def _get_target_materialization_data(self, step_context: Any, check_key: dg.AssetCheckKey) -> Any:
        if not self.judged:
            self.judged.append(super()._get_target_materialization_data(step_context, check_key))
        return self.judged[0]


@dataclass(frozen=True)
class Outcome:
    """What one check found in one partition."""

    check: str
    severity: Severity
    rules_hash: str
    passed: bool
    evaluations: tuple[verdicts.Evaluation, ...]
    said: str
    """What the check says in the UI: the faults, or that there are none."""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    reached: bool = True
    """Whether anything was evaluated; what was not has neither passed nor failed, so no override can lift it."""

    @property
    def failed(self) -> list[verdicts.Evaluation]:
        """The rules that failed."""
        return [each for each in self.evaluations if each.status == "failed"]


def sentence(evaluation: verdicts.Evaluation) -> str:
    """One rule's result for a person."""
    return f"{evaluation.rule}: {evaluation.description} ({evaluation.found}, limit {evaluation.allowed})"


def report(
    context: dg.AssetCheckExecutionContext,
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    found_by_partition: Iterable[tuple[str | None, Sequence[Outcome]]],
) -> list[dg.AssetCheckResult]:
    """Write down what a table's checks found, in the caller's transaction; returns Dagster's results.

    found_by_partition: earliest first; each is written down before the next one is asked for, so that a night which is
    evaluated on demand is held against those before it.
    A failed check that a person has overridden is shown as a warning, so that Dagster lets the run go on.
    """
    now = datetime.now(UTC)
    naive = now.replace(tzinfo=None)
    lifted = overrides.live(connection, at=naive)
    outcomes: dict[str | None, Sequence[Outcome]] = {}
    for partition, found in found_by_partition:
        outcomes[partition] = found
        blocking = [each for each in found if each.severity == "ERROR"]
        unreached = [each.check for each in blocking if not each.reached]
        verdicts.save(
            connection,
            asset=contract.address,
            partition=partition,
            contract_version=contract.version,
            verdicts=[
                verdicts.Verdict(each.check, each.rules_hash, each.passed, "" if each.passed else each.said)
                for each in blocking
                if each.reached
            ],
            unreached=unreached,
            evaluations=[evaluation for each in found for evaluation in each.evaluations],
            run_id=context.run.run_id,
            at=naive,
        )
    told = _observe(context, connection, contract, outcomes, lifted, now)
    return list(_results(context, contract, outcomes, lifted, told))


def _observe(
    context: dg.AssetCheckExecutionContext,
    connection: duckdb.DuckDBPyConnection,
    contract: Contract,
    outcomes: Mapping[str | None, Sequence[Outcome]],
    lifted: Sequence[overrides.Override],
    now: datetime,
) -> Mapping[str, str]:
    """Write the findings of the failed rules; returns the screen that `athena why` has for each partition with one."""
    found = [
        Finding(
            kind="check",
            severity=outcome.severity,
            asset=contract.address,
            partition=partition or verdicts.UNPARTITIONED,
            check=outcome.check,
            rule=evaluation.rule,
            summary=sentence(evaluation),
            figure=evaluation.found,
            limit=evaluation.allowed,
            owner=contract.owner,
            run_id=context.run.run_id,
        )
        for partition, each in outcomes.items()
        for outcome in each
        for evaluation in outcome.failed
    ]
    looked_at = [
        (contract.address, partition or verdicts.UNPARTITIONED, outcome.check)
        for partition, each in outcomes.items()
        for outcome in each
        if outcome.reached
    ]
    home = home_of(context)
    whys = _explained(home, connection, found, lifted, now) if found else {}
    told = [replace(each, details=whys[each.partition].found() if whys else "") for each in found]
    Findings(home).observe(told, looked_at=looked_at, at=now)
    return {partition: _screen(each) for partition, each in whys.items()}


def _screen(why: Why) -> str:
    """What the UI shows for good. What only warns does not stop its night: what mends it changes when that is up."""
    if any(each.severity == "ERROR" for each in why.findings):
        return why.screen()
    return f"{why.found()}\nathena why {why.where} says what mends it"


def _explained(
    home: Path,
    connection: duckdb.DuckDBPyConnection,
    found: Sequence[Finding],
    lifted: Sequence[overrides.Override],
    now: datetime,
) -> dict[str, Why]:
    """By partition, all that is known of its faults; nothing where the home's own records cannot be read."""
    try:
        settings = load_settings().model_copy(update={"home": home})
        zone = ZoneInfo(source_of_home(home, need_home(home).source).timezone)
        wall = now.astimezone(zone).replace(tzinfo=None)
        records = records_of(settings, wall, lambda: closing(beside(connection)))
    except AthenaError:
        # The verdict stands without its screen, and `athena why` names what is wrong with the records.
        return {}
    gravest = sorted(found, key=lambda each: each.severity != "ERROR")
    return {
        partition: explain(records, [each for each in gravest if each.partition == partition], lifted=lifted)
        for partition in dict.fromkeys(each.partition for each in found)
    }


def _results(
    context: dg.AssetCheckExecutionContext,
    contract: Contract,
    outcomes: Mapping[str | None, Sequence[Outcome]],
    lifted: Sequence[overrides.Override],
    told: Mapping[str, str],
) -> Iterator[dg.AssetCheckResult]:
    """One result per check; a run over a range of partitions can have no more, and names the partitions that failed."""
    by_check: dict[str, list[tuple[str, Outcome]]] = {}
    for partition, found in outcomes.items():
        for outcome in found:
            by_check.setdefault(outcome.check, []).append((partition or verdicts.UNPARTITIONED, outcome))
    judged: list[Any] = []
    for check, each in by_check.items():
        failed = [(partition, outcome) for partition, outcome in each if not outcome.passed]
        _, shown = (failed or each)[0]
        excuses = [
            overrides.covering(lifted, contract.address, partition, check) if outcome.reached else None
            for partition, outcome in failed
        ]
        excused = bool(failed) and all(excuses)
        words = shown.said
        if len(each) > 1:
            words = "; ".join(f"{partition}: {outcome.said}" for partition, outcome in failed) or shown.said
        if failed:
            context.log.error("%s of %s: %s", check, contract.address, words)
            screens = [told[partition] for partition, _ in failed[:MOST_SCREENS] if partition in told]
            # Markdown keeps the columns of a screen only in a block of code.
            words = "\n\n".join([words, *(f"```\n{screen}\n```" for screen in screens)])
        extra = {"athena/override": "; ".join(one.sentence() for one in excuses if one)} if excused else {}
        result = Result(
            asset_key=dg.AssetKey([contract.schema, contract.table]),
            check_name=check,
            passed=not failed,
            severity=dg.AssetCheckSeverity.WARN if excused or shown.severity == "WARN" else dg.AssetCheckSeverity.ERROR,
            description=f"{words} — {extra['athena/override']}" if excused else words,
            metadata={**shown.metadata, **extra, **({"partitions_failed": len(failed)} if len(each) > 1 else {})},
        )
        result.judged = judged
        yield result
