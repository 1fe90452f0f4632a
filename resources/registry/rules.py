"""What may be registered, and which stage may follow which."""

import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from resources.registry.artifacts import refuse_unfit
from resources.registry.errors import InvalidRegistration, InvalidTransition
from resources.registry.ledger import Promotion, Stage, canonical_json

REQUIRED_TAGS = ("data_hash", "code_version", "feature_list", "pipeline_run_id")
TRANSITIONS: Mapping[Stage, frozenset[Stage]] = {
    Stage.DEVELOPMENT: frozenset({Stage.STAGING, Stage.ARCHIVED}),
    Stage.STAGING: frozenset({Stage.PRODUCTION, Stage.DEVELOPMENT, Stage.ARCHIVED}),
    Stage.PRODUCTION: frozenset({Stage.ARCHIVED}),
    # Straight back to production is a roll-back, open only to a version that has stood there.
    Stage.ARCHIVED: frozenset({Stage.STAGING, Stage.PRODUCTION}),
}
_NAME = re.compile(r"[a-z][a-z0-9_]*")


def stages_after(rows: Iterable[Promotion]) -> dict[str, Stage]:
    """Version -> stage after these promotions of one model, in order of registration."""
    return {row.version: row.to_stage for row in rows}


def refuse_registration(
    model: str,
    artifact: Path,
    *,
    manifest: Mapping[str, Any],
    metrics: Mapping[str, float],
    params: Mapping[str, Any],
    tags: Mapping[str, str],
    report: Path | None,
) -> None:
    """Raise `InvalidRegistration` for what the registry could not answer for later."""
    if not _NAME.fullmatch(model):
        raise InvalidRegistration(
            "a model's name is also a folder and a column",
            expected="lower-case letters, digits and _, a letter first",
            found=repr(model),
        )
    refuse_unfit(artifact)
    if report is not None and not report.is_file():
        raise InvalidRegistration(
            f"the report of {model} is missing", expected=f"a file {report}", found="no such file"
        )
    if report is not None and (artifact / "report" / report.name).exists():
        raise InvalidRegistration(
            f"the artifact of {model} already holds the file report/{report.name}",
            expected="the report to be handed over apart",
            found=f"{artifact / 'report' / report.name}",
        )
    missing = [name for name in REQUIRED_TAGS if not tags.get(name)]
    if missing:
        raise InvalidRegistration(
            f"a version of {model} does not say what it was made from",
            expected=f"the tags {', '.join(REQUIRED_TAGS)}",
            found=f"{', '.join(missing)} missing or empty",
        )
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise InvalidRegistration(f"the metric {name} of {model} is no number", expected="finite", found=str(value))
    try:
        canonical_json([manifest, params, tags])
    except (TypeError, ValueError) as error:
        raise InvalidRegistration(
            f"manifest, params and tags of {model} cannot be written as JSON",
            expected="text, finite numbers, booleans, lists and objects of them",
            found=str(error),
        ) from error


def refuse_transition(
    history: Iterable[Promotion], version: str, to_stage: Stage, *, reason: str, actor: str, evidence: Mapping[str, Any]
) -> None:
    """Raise `InvalidTransition` when the version may not move to the stage, or nobody says why."""
    rows = list(history)
    model, stage = rows[0].model, stages_after(rows)[version]
    name = f"{model} version {version}"
    if to_stage not in TRANSITIONS[stage]:
        raise InvalidTransition(
            f"{name} cannot go from {stage} to {to_stage}",
            expected=f"one of {', '.join(sorted(TRANSITIONS[stage]))}",
            found=str(to_stage),
            next_command="athena models",
        )
    for what, value in (("reason", reason), ("actor", actor)):
        if not value.strip():
            raise InvalidTransition(
                f"the promotion of {name} to {to_stage} has no {what}", expected=f"a {what}", found="nothing"
            )
    if to_stage is not Stage.PRODUCTION:
        return
    if stage is Stage.STAGING and not evidence:
        raise InvalidTransition(
            f"{name} cannot go to production without evidence",
            expected="what the decision rests on, such as the gate's verdict",
            found="no evidence",
        )
    if stage is Stage.ARCHIVED and not any(row.version == version and row.to_stage is Stage.PRODUCTION for row in rows):
        raise InvalidTransition(
            f"{name} cannot be rolled back to: it never stood in production",
            expected="a former champion, or the way through staging",
            found=f"archived from {[row.from_stage.value for row in rows if row.version == version][-1]}",
        )


def stage_named(name: str) -> Stage:
    """The stage of that name; raises `InvalidTransition` for any other word."""
    try:
        stage = Stage(name)
    except ValueError as error:
        raise InvalidTransition(
            f"there is no stage {name!r}", expected=", ".join(sorted(TRANSITIONS)), found=repr(name)
        ) from error
    return stage
