"""What a rule is, and what it found: the unit of history, alerts and runbooks, though not of Dagster's checks.

A rule is one aggregate over a partition. It counts offending rows, which must stay at or below a limit, or it is a
figure, which must stay within the band of its own earlier figures. Rules are grouped into a few checks per table,
because a check result costs tens of milliseconds in the orchestrator while a further aggregate costs nothing
(docs/decisions/0005-few-checks-many-rules.md).
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from statistics import fmean, median
from typing import Literal

from checks.contract import Band, Severity

GROUPS = (
    "schema",
    "completeness",
    "keys",
    "ranges",
    "references",
    "freshness",
    "consistency",
    "distribution",
)
"""Names of the checks of a table, in the order in which a reader wants them."""

WARNINGS = "_warnings"
"""Suffix of the check that holds a group's rules of severity WARN: what blocks and what informs are never mixed."""

NORMAL = 1.4826
"""Standard deviations of a normal distribution in one median absolute deviation."""

_ROUNDING = 1e-9
"""A figure on the edge of its band is inside, whatever the logarithm made of the edge."""

Status = Literal["passed", "failed", "not evaluated"]


@dataclass(frozen=True)
class Rule:
    """One statement of a contract as SQL."""

    id: str
    group: str
    description: str
    expression: str
    """Aggregate over the rows of the partition: the number of offending rows, or the figure of a band."""
    limit: Decimal = Decimal(0)
    """Largest number of offending rows allowed, or the largest share of rows when `relative`."""
    relative: bool = False
    severity: Severity = "ERROR"
    band: Band | None = None
    condition: str | None = None
    """SQL condition that holds for an offending row; None where no single row offends."""
    proof: str | None = None
    """Cheap aggregate that is true only where no row offends, so that nothing has to be counted."""
    cheaper: str | None = None
    """Aggregate that has the very value of `expression` and costs less."""

    @property
    def check(self) -> str:
        """Name of the check that the rule is evaluated under."""
        return self.group if self.severity == "ERROR" else f"{self.group}{WARNINGS}"

    @property
    def figure_hash(self) -> str:
        """Twelve hexadecimal digits that change when the same rows could give another figure; limits do not count."""
        return hashlib.sha256(repr((self.expression, self.relative)).encode()).hexdigest()[:12]


@dataclass(frozen=True)
class Past:
    """The figure of a rule on an earlier partition, and the rows behind it."""

    figure: float
    rows: int
    year_before: bool = False
    """Whether the partition is of the same week a year before, not one of the last ones."""
    told: bool = False
    """Whether the figure was outside of its band, and has been told."""


@dataclass(frozen=True)
class RuleResult:
    """What a rule found in one partition.

    figure: offending rows, their share for a relative rule, or the figure of a band; None where there was nothing to
        compute it from.
    low, high: what was allowed; None is an open end.
    status: `not evaluated` where a band has too little history or too few rows.
    """

    rule: Rule
    figure: float | None
    rows: int
    low: float | None
    high: float | None
    status: Status

    @property
    def passed(self) -> bool:
        """Whether nothing speaks against the partition."""
        return self.status != "failed"

    @property
    def found(self) -> str:
        """The figure as a person reads it."""
        if self.figure is None:
            return "–"
        if self.rule.band is not None:
            return f"{self.figure:.4g}"
        return f"{self.figure:.4%}" if self.rule.relative else f"{int(self.figure):,} rows"

    @property
    def allowed(self) -> str:
        """The limit as a person reads it."""
        if self.rule.band is None:
            return f"{self.rule.limit:.2%}" if self.rule.relative else f"{self.rule.limit}"
        if self.status == "not evaluated":
            return "no history yet"
        low = "" if self.low is None else f"{self.low:.4g}"
        high = "" if self.high is None else f"{self.high:.4g}"
        return f"{low}…{high}"

    def sentence(self) -> str:
        """One line for the error message, the alert and the metadata."""
        return f"{self.rule.id}: {self.rule.description} ({self.found}, limit {self.allowed})"


def judge(rule: Rule, value: object, rows: int, past: Sequence[Past]) -> RuleResult:
    """The result of a rule whose aggregate returned `value` over `rows` rows.

    past: the rule's earlier figures, for a rule with a band; any order.
    """
    if rule.band is None:
        if value is None:
            # A number of offending rows that cannot be told is not none.
            return RuleResult(rule, None, rows, None, float(rule.limit), "failed")
        offending = int(str(value))
        share = offending / rows if rows else 0.0
        exact = Decimal(offending) / Decimal(rows) if rule.relative and rows else Decimal(offending)
        if rule.relative and not rows:
            exact = Decimal(0)
        status: Status = "passed" if exact <= rule.limit else "failed"
        return RuleResult(rule, share if rule.relative else float(offending), rows, None, float(rule.limit), status)
    figure = None if value is None else float(str(value))
    known = [each for each in past if each.rows >= rule.band.minimum_rows and _usable(each.figure, rule.band)]
    recent = sum(not each.year_before for each in known)
    enough = recent >= rule.band.at_least or rule.band.assumed is not None
    if figure is None or rows < rule.band.minimum_rows or not enough:
        return RuleResult(rule, figure, rows, None, None, "not evaluated")
    low, high = allowed_by(rule.band, known, rows)
    inside = (low is None or figure >= low - _ROUNDING * abs(low)) and (
        high is None or figure <= high + _ROUNDING * abs(high)
    )
    return RuleResult(rule, figure, rows, low, high, "passed" if math.isfinite(figure) and inside else "failed")


def _usable(figure: float, band: Band) -> bool:
    return math.isfinite(figure) and (band.scale == "linear" or figure > 0)


def allowed_by(band: Band, past: Sequence[Past], rows: int) -> tuple[float | None, float | None]:
    """Lowest and highest figure that a band allows after these earlier ones; None is an open end."""
    if band.scale == "log":
        logs = [replace(each, figure=math.log(each.figure)) for each in past]
        tolerance = math.log(float(band.tolerance))
        assumed = None if band.assumed is None else math.log(float(band.assumed))
        low, high = _interval(band, logs, rows, tolerance, assumed)
        low, high = math.exp(low), math.exp(high)
    else:
        assumed = None if band.assumed is None else float(band.assumed)
        low, high = _interval(band, past, rows, float(band.tolerance), assumed)
    return None if band.side == "above" else low, None if band.side == "below" else high


def _interval(
    band: Band, past: Sequence[Past], rows: int, tolerance: float, assumed: float | None
) -> tuple[float, float]:
    """The band on its own scale, both ends."""
    recent = [each for each in past if not each.year_before]
    spread = 0.0
    if len(recent) >= band.at_least or assumed is None:
        figures = [each.figure for each in recent]
        centre = median(figures) if band.centre == "median" else fmean(figures)
        weights = [math.sqrt(each.rows) if band.per_row else 1.0 for each in recent]
        deviations = [abs(figure - centre) * weight for figure, weight in zip(figures, weights, strict=True)]
        spread = NORMAL * median(deviations) / (math.sqrt(max(rows, 1)) if band.per_row else 1.0)
    else:
        centre = assumed
    width = max(tolerance * (abs(centre) if band.relative else 1.0), float(band.spread) * spread)
    known = [each.figure for each in past if (each.year_before and band.season) or (each.told and band.once)]
    reached = [centre, *known]
    return min(reached) - width, max(reached) + width
