"""A promotion ahead: where a version stands, whether it passed its gate, and what readers would see of it."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from athena_assets.errors import AthenaError
from athena_assets.lifecycle.artifact import load_artifact
from athena_assets.lifecycle.gates import Verdict
from athena_assets.lifecycle.model_spec import ModelSpec
from athena_assets.nights import Night
from athena_assets.planning.difference import Difference, compare, latest_published, night_file, planned_scores
from athena_assets.planning.minutes import Minutes, minutes_of_nights
from athena_assets.planning.refusals import Refusal, Refusals
from athena_assets.predictions.scores import refuse_changed_features
from resources.registry import InvalidTransition, ModelRegistry, NoChampion, RegisteredModel, Stage
from resources.registry.rules import refuse_transition
from resources.warehouse import Warehouse

if TYPE_CHECKING:
    from athena_assets.definitions import Athena


class GateNotPassed(AthenaError):
    """The version's evaluation was refused by the gate, or none was registered with it."""


@dataclass(frozen=True)
class PromotionPlan:
    """What bringing a version to production would do."""

    model: str
    version: str
    stage: str
    way: tuple[str, ...]
    """The stages it would go through; none where it stands in production."""
    champion: str | None
    """The version that stands in production now, and would be archived."""
    judged_on: str
    trained_until: str
    champion_trained_until: str | None
    verdicts: tuple[Verdict, ...]
    """The gate's verdicts at the time of its training, as registered with it."""
    refusals: tuple[Refusal, ...]
    night: str | None
    """The latest published night, which it is compared on."""
    difference: Difference | None
    minutes: Minutes

    @property
    def goes_through(self) -> bool:
        """Whether nothing is known that would refuse."""
        return not self.refusals


def plan_promotion(athena: "Athena", spec: ModelSpec, version: str) -> PromotionPlan:
    """Plan the promotion; reads the home and writes nothing.

    Raises `UnknownModel`, `UnknownVersion`, and `ArtifactTampered` for a version whose record cannot be trusted.
    """
    registry = ModelRegistry(athena.settings.home)
    candidate = registry.version(spec.name, version)
    champion = _champion(registry, spec.name)
    refusals = Refusals()
    where = f"{spec.name} {version}"
    with refusals.of(where):
        candidate.verify()
    is_whole = not refusals.all
    verdicts = _verdicts(candidate) if is_whole else ()
    with refusals.of(where):
        _refuse_unfit(candidate, verdicts)
    way: tuple[Stage, ...] = ()
    with refusals.of(where):
        way = way_to_production(registry, candidate)
    night, difference = latest_published(athena.settings.published, spec.name), None
    if is_whole:
        with refusals.of(where):
            difference = _difference(athena, spec, candidate, night)
    return PromotionPlan(
        model=spec.name,
        version=version,
        stage=candidate.stage.value,
        way=tuple(stage.value for stage in way),
        champion=champion.version if champion is not None else None,
        judged_on=str(candidate.manifest["judged_on"]),
        trained_until=_trained_until(candidate),
        champion_trained_until=_trained_until(champion) if champion is not None else None,
        verdicts=verdicts,
        refusals=refusals.all,
        night=night.key if night is not None else None,
        difference=difference,
        minutes=minutes_of_nights(athena.settings.usage_path, spec.name, 1),
    )


def way_to_production(registry: ModelRegistry, candidate: RegisteredModel) -> tuple[Stage, ...]:
    """The stages that lead to production by the registry's own rules; raises `InvalidTransition` where none do."""
    if candidate.stage is Stage.PRODUCTION:
        return ()
    history = registry.history(candidate.name)
    said = {"reason": "planned", "actor": "nobody", "evidence": {"planned": True}}
    try:
        refuse_transition(history, candidate.version, Stage.PRODUCTION, **said)  # type: ignore[arg-type]
    except InvalidTransition:
        refuse_transition(history, candidate.version, Stage.STAGING, **said)  # type: ignore[arg-type]
        return (Stage.STAGING, Stage.PRODUCTION)
    return (Stage.PRODUCTION,)


def _champion(registry: ModelRegistry, model: str) -> RegisteredModel | None:
    try:
        return registry.champion(model)
    except NoChampion:
        return None


def _trained_until(version: RegisteredModel) -> str:
    return str(version.manifest["training_snapshots"][-1])


def _verdicts(candidate: RegisteredModel) -> tuple[Verdict, ...]:
    """The gate's verdicts in the report that was registered with the version; none where there is no report."""
    if candidate.report is None:
        return ()
    document = json.loads(candidate.report.read_text(encoding="utf-8"))
    return tuple(Verdict(**each) for each in document.get("verdicts", ()))


def _refuse_unfit(candidate: RegisteredModel, verdicts: tuple[Verdict, ...]) -> None:
    """Raise `GateNotPassed` unless an evaluation came with the version and every verdict of it passed."""
    refused = [f"{each.name}: {each.words}" for each in verdicts if not each.passed]
    if refused or not verdicts:
        raise GateNotPassed(
            f"{candidate.name} version {candidate.version} has not passed the gate",
            expected="every verdict of its evaluation passed",
            found="; ".join(refused) or "no evaluation was registered with it",
            next_command="athena train; the champion stays as it is",
        )


def _difference(
    athena: "Athena", spec: ModelSpec, candidate: RegisteredModel, night: Night | None
) -> Difference | None:
    artifact = load_artifact(candidate.path, threads=athena.settings.threads)
    refuse_changed_features(artifact, athena.feature_set)
    if night is None or not athena.settings.warehouse_path.exists():
        return None
    with Warehouse.of(athena.settings).read() as connection:
        planned = planned_scores(connection, spec, artifact, athena.feature_set, night)
    file = night_file(athena.settings.published, spec.name, night)
    return compare(spec, night, file, planned, version=candidate.version)
