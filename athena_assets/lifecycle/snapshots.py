"""Which days become labelled snapshots, and which of them may see which.

A snapshot's label looks at `[as_of, as_of + horizon)`, so it is complete only `horizon` days later. Evaluation is
out of time: the latest complete snapshot is held out, and the model that it judges is trained only on snapshots
whose labels were complete before the held-out day began; no day is both a training label and an evaluation feature
of the future.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.model_spec import SnapshotPolicy

YEAR_DAYS = 365


class NotEnoughHistory(AthenaError):
    """The history is too short for a training snapshot and a later one to judge it."""


@dataclass(frozen=True)
class SnapshotPlan:
    """Three uses of the complete snapshots, each ascending.

    training: those whose labels were complete when `evaluation` began; the judged model sees these.
    evaluation: the held-out snapshot.
    refit: every complete snapshot; the model that goes to production is fitted on these with the judged parameters.
    """

    training: tuple[datetime, ...]
    evaluation: datetime
    refit: tuple[datetime, ...]


def complete_snapshots(
    first_event: datetime, as_of: datetime, *, horizon_days: int, policy: SnapshotPolicy
) -> tuple[datetime, ...]:
    """Snapshots with complete labels at `as_of`, ascending.

    They are `spacing_days` apart, counted back from `as_of`, and the pattern starts again on each anniversary of
    `as_of`: a level that changes within days, as before Christmas, is then known for the same day a year earlier,
    both for the evaluation snapshot and for the coming nights.
    """
    earliest = first_event + timedelta(days=policy.minimum_history_days)
    latest = as_of - timedelta(days=horizon_days)
    per_year = max(1, round(YEAR_DAYS / policy.spacing_days))
    years = max(0, (latest - earliest).days) // YEAR_DAYS + 2
    days = (
        as_of - timedelta(days=YEAR_DAYS * year + policy.spacing_days * step)
        for year in range(years)
        for step in range(per_year)
    )
    return tuple(sorted(day for day in days if earliest <= day <= latest))


def labels_complete_before(
    snapshots: tuple[datetime, ...], as_of: datetime, *, horizon_days: int
) -> tuple[datetime, ...]:
    """Those of the snapshots whose label window had closed when `as_of` began."""
    return tuple(day for day in snapshots if day + timedelta(days=horizon_days) <= as_of)


def plan_snapshots(snapshots: tuple[datetime, ...], *, horizon_days: int) -> SnapshotPlan:
    """Hold out the latest complete snapshot; raises `NotEnoughHistory` where nothing is left to train on."""
    ordered = tuple(sorted(set(snapshots)))
    training = labels_complete_before(ordered, ordered[-1], horizon_days=horizon_days) if ordered else ()
    if not training:
        raise NotEnoughHistory(
            "no snapshot has labels that were complete before the evaluation snapshot",
            expected=f"complete snapshots at least {horizon_days} days apart",
            found=", ".join(f"{day:%Y-%m-%d}" for day in ordered) or "no complete snapshot",
            next_command="load a longer history",
        )
    return SnapshotPlan(training=training, evaluation=ordered[-1], refit=ordered)
