"""The facts of the replayed incident, in the form in which the table, the JSON and the post-mortem tell them."""

from dataclasses import asdict, dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from athena_assets.errors import AthenaError
from athena_assets.impact import Impact
from athena_assets.incidents import book
from athena_assets.incidents.figures import NaiveFigures
from athena_assets.sources.aliases import AcceptedAlias

LEAST_NULL_RATE = 0.05
"""What a circuit breaker would have stopped on; the replay must reach it without protection."""
LEAST_POINTS = 10.0
"""By how many percentage points the naive positive rate must move: where monitoring would have alerted."""


class ReplayContradicted(AthenaError):
    """The replay did not show what it claims to show; nothing of it is to be believed."""


@dataclass(frozen=True)
class Published:
    """What readers find of a model's predictions at a moment."""

    night: date
    as_of: datetime
    customers: int
    positive_rate: float
    highest_tier: int
    """Customers in the model's highest tier."""
    value_at_risk: Decimal
    """Summed over all customers, in the source's currency."""
    sha256: str


@dataclass(frozen=True)
class Registered:
    """One delivery as its manifest states it; `registered_at` is by the retailer's clock."""

    delivery_id: str
    first_night: date
    last_night: date
    registered_at: datetime
    rows: int
    rows_landed: int


@dataclass(frozen=True)
class Alert:
    """One alert as the channels were told of it; `at` is by this machine's clock."""

    title: str
    mend: str
    """The command that it gives."""
    at: datetime


@dataclass(frozen=True)
class Refusal:
    """The moment at which Athena said no. `arrived_at` is by the retailer's clock, `recorded_at` by this machine's."""

    night: date
    folder: Path
    arrived_at: datetime
    seconds: float
    """From the start of the load until it had refused and the alert was sent, measured."""
    error: str
    text: str
    """The whole error, with the likely rename and everything downstream."""
    mend: str
    """The commands that it says go on from there, joined by `&&`."""
    why: str
    """What `athena why` shows in the morning."""
    night_said: str
    """What running the night says while its extract stands refused."""
    recorded_at: datetime
    alerts: tuple[Alert, ...]
    """Every alert until the alias was accepted."""


@dataclass(frozen=True)
class Recovery:
    """The way back."""

    commands: tuple[str, ...]
    """What the refusal said to run, with a name and a reason filled in; run to the letter."""
    alias: AcceptedAlias
    seconds: float
    """From the acceptance to the published night, measured."""
    rules_evaluated: int
    rules_failed: int
    earlier_rows_changed: int
    """Rows of earlier nights that the renamed extract tells otherwise."""
    open_findings: int
    published: Published


@dataclass(frozen=True)
class Incident:
    """Everything that the replay established."""

    customers: int
    champion: str
    good_nights: tuple[date, ...]
    identical: int
    """Predictions of the last good night that the naive pipeline gave exactly as Athena published them."""
    naive: NaiveFigures
    before: Published
    refusal: Refusal
    during: Published
    nights_during: tuple[date, ...]
    """Nights with published predictions while the extract stood refused."""
    downstream: Impact
    """What is computed from the renamed column, and who owns it."""
    recovery: Recovery
    deliveries: tuple[Registered, ...]
    seconds: float
    """The whole replay, measured."""


def refuse_contradiction(incident: Incident) -> None:
    """Raise `ReplayContradicted` where a claim of the replay does not hold."""
    naive, night, alerts = incident.naive, incident.refusal.night, incident.refusal.alerts
    claims = {
        f"the naive pipeline to give {incident.before.customers:,} predictions of the last good night as Athena's": (
            incident.identical == incident.before.customers,
            f"{incident.identical:,} the same",
        ),
        f"a null rate above {LEAST_NULL_RATE:.0%} in the naive pipeline": (
            naive.null_rate_after > LEAST_NULL_RATE,
            f"{naive.null_rate_after:.1%}",
        ),
        f"a naive positive rate that moved by more than {LEAST_POINTS:.0f} points": (
            abs(naive.positive_points) > LEAST_POINTS,
            f"{naive.positive_points:+.1f} points",
        ),
        "nothing published by Athena from the renamed extract": (
            night not in incident.nights_during and incident.during == incident.before,
            f"nights {', '.join(map(str, incident.nights_during))}",
        ),
        "the night clean and published once the alias was accepted": (
            incident.recovery.published.night == night
            and incident.recovery.rules_evaluated > 0
            and not incident.recovery.rules_failed
            and not incident.recovery.open_findings,
            f"night {incident.recovery.published.night}, {incident.recovery.rules_failed} failed rules, "
            f"{incident.recovery.open_findings} open findings",
        ),
        "`athena why` to show the commands that mend it": (incident.refusal.mend in incident.refusal.why, "others"),
        "one alert": (len(alerts) == 1, "; ".join(each.title for each in alerts) or "none"),
    }
    broken = {claim: found for claim, (holds, found) in claims.items() if not holds}
    if broken:
        raise ReplayContradicted(
            "the replay did not show what it claims to show",
            expected="; ".join(broken),
            found="; ".join(broken.values()),
            next_command="athena replay rename --keep FOLDER keeps the home in which it can be looked into",
        )


def as_document(incident: Incident) -> dict[str, Any]:
    """Everything for a program; what is the book's stands apart from what was measured."""
    naive = incident.naive
    document = asdict(incident)
    document["recovery"]["alias"] = incident.recovery.alias.model_dump(mode="json")
    document["naive"] |= {
        "null_rate_before": naive.null_rate_before,
        "null_rate_after": naive.null_rate_after,
        "turned_null": [each.name for each in naive.turned_null],
        "turned_zero": [each.name for each in naive.turned_zero],
        "positive_points": naive.positive_points,
    }
    reported = {
        "null_rate": book.NULL_RATE,
        "positives_before": book.POSITIVES_BEFORE,
        "positives_after": book.POSITIVES_AFTER,
        "noticed": book.NOTICED,
    }
    return {"book": reported, "measured": document}
