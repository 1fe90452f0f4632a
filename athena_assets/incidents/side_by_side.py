"""The incident as a table: the book, the naive pipeline and Athena, each row one thing to compare."""

from datetime import datetime

from athena_assets.incidents import book
from athena_assets.incidents.record import Incident, Published

MORNING = (6, 47)
"""When somebody reads what the night left, by the retailer's clock."""
NONE = "–"


def side_by_side(incident: Incident) -> list[list[str]]:
    """Rows of what, the book, the naive pipeline, Athena. Only the first of the three was not measured here."""
    naive, refusal, recovery = incident.naive, incident.refusal, incident.recovery
    mended = recovery.published
    nulls, zeros = len(naive.turned_null), len(naive.turned_zero)
    return [
        [
            "the renamed extract",
            "read",
            f"read; {', '.join(naive.missing)} not found, taken as null",
            f"refused: {refusal.error}",
        ],
        [
            "null rate of the affected features",
            percent(book.NULL_RATE),
            f"{percent(naive.null_rate_before)} -> {percent(naive.null_rate_after)} in {nulls} features",
            "none computed from it",
        ],
        [
            "affected features that turned 0 instead, which no null rate shows",
            NONE,
            f"{zeros} features",
            "none computed from it",
        ],
        [
            "customers predicted to churn (probability 0.5 and more)",
            f"{percent(book.POSITIVES_BEFORE, 0)} -> {percent(book.POSITIVES_AFTER, 0)}",
            f"{percent(naive.positive_rate_before)} -> {percent(naive.positive_rate_after)}"
            f" ({naive.positive_points:+.1f} points)",
            f"{percent(incident.before.positive_rate)} -> {percent(mended.positive_rate)}, once mended",
        ],
        [
            "customers in the highest tier",
            NONE,
            f"{naive.high_before:,} -> {naive.high_after:,}",
            f"{incident.before.highest_tier:,} -> {mended.highest_tier:,}, once mended",
        ],
        [
            "PSI of the probabilities against the last good night",
            NONE,
            f"{naive.psi:.2f}",
            NONE,
        ],
        [
            "value at risk told to the retention team",
            NONE,
            f"{naive.value_at_risk_before:,} -> {naive.value_at_risk_after:,}",
            f"{incident.before.value_at_risk:,} -> {mended.value_at_risk:,}, once mended",
        ],
        [
            "predictions published from it, unmended",
            "yes",
            f"{naive.customers:,}",
            "0",
        ],
        [
            f"what readers had at {morning(refusal.arrived_at):%H:%M}",
            "wrong predictions",
            f"night {refusal.night}, wrong",
            f"night {incident.during.night}, {age(incident.during, morning(refusal.arrived_at))} old",
        ],
        ["alerts", NONE, "none", str(len(refusal.alerts))],
        [
            "time to detect",
            book.NOTICED,
            "not detected",
            f"{refusal.seconds:.2f} s after the load began, alert included;"
            f" {refusal.arrived_at:%H:%M} by the retailer's clock",
        ],
        [
            "time to mend, from the acceptance on",
            NONE,
            NONE,
            f"{recovery.seconds:.1f} s; {recovery.rules_evaluated:,} rules evaluated, {recovery.rules_failed} failed",
        ],
    ]


def percent(share: float, decimals: int = 1) -> str:
    """A share as a percentage."""
    return f"{100 * share:.{decimals}f} %"


def morning(arrived_at: datetime) -> datetime:
    """When somebody reads what was published after a delivery arrived, by the retailer's clock."""
    hour, minute = MORNING
    return arrived_at.replace(hour=hour, minute=minute)


def age(published: Published, at: datetime) -> str:
    """How old what is published is at a moment, in hours and minutes since its as_of."""
    minutes = int((at - published.as_of).total_seconds()) // 60
    return f"{minutes // 60} h {minutes % 60:02} min"
