"""The rules that hold a night's features against the training rows of its champion: one PSI each.

A feature is told of when it lies more than 0.2 further from the training rows than any snapshot among them did: what
moved as far when the model was trained (a season, a tenure that grows with the history) is what it was trained on. A
drift that lasts is told once, and again when the feature has moved as far again.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from decimal import Decimal

from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.lifecycle.profile import MINIMUM_ROWS, FeatureProfile, Histogram, psi
from checks.compiler import CheckName
from checks.contract import Band, Severity
from checks.rules import WARNINGS, Past, Rule, RuleResult, judge

DRIFT = "drift"
NEVER = 1_000_000
MOVED = Band(
    tolerance=Decimal("0.2"),
    side="above",
    assumed=Decimal(0),
    at_least=NEVER,
    once=True,
    minimum_rows=MINIMUM_ROWS,
)
"""Above the distance that is usual for the feature, which takes the place of the assumed centre: what a feature did on
the last nights is no excuse, except that somebody has been told of it."""


def drift_check(spec: ModelSpec, features: Iterable[str]) -> CheckName:
    """The check of a model's candidate: it informs, or blocks where the model stops on `drift`."""
    severity: Severity = "ERROR" if DRIFT in spec.monitoring.stop_on else "WARN"
    rules = tuple(
        Rule(
            f"psi.{name}",
            DRIFT,
            f"distance (PSI) of {name} from what {spec.name} was trained on",
            "",
            severity=severity,
            band=MOVED,
        )
        for name in features
    )
    return CheckName(DRIFT if severity == "ERROR" else f"{DRIFT}{WARNINGS}", DRIFT, severity, rules)


def judge_drift(
    rule: Rule, trained_on: FeatureProfile | None, now: Histogram | None, past: Sequence[Past] = ()
) -> RuleResult:
    """The result of one of the rules; not evaluated where the version or the night knows nothing of the feature."""
    enough = trained_on is not None and trained_on.histogram.rows >= MINIMUM_ROWS
    if trained_on is None or now is None or not now.rows or not enough:
        return judge(rule, None, 0, ())
    usual = replace(rule, band=replace(MOVED, assumed=Decimal(f"{trained_on.usual:.6f}")))
    return judge(usual, psi(trained_on.histogram, now), now.rows, past)
