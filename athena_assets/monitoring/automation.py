"""The sensor that delivers alerts, so that a night started by the schedule or in the UI reaches somebody."""

from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._core.definitions.assets.graph.base_asset_graph import BaseAssetGraph

from athena_assets.errors import AthenaError
from athena_assets.impact import Impact, ImpactGraph, impact_graph
from athena_assets.monitoring.alerting import Knowledge
from athena_assets.monitoring.delivery import deliver
from athena_assets.monitoring.explaining import Explainer
from athena_assets.monitoring.mending import mender_of
from athena_assets.sources.source import Source
from resources.alert_sink import AlertSink
from resources.outbox import Outbox
from resources.settings import Settings
from resources.watch import Watch

SECONDS = 30
"""Between two looks: a look reads one small file, and a person needs minutes anyway."""


def build_alert_sensor(settings: Settings, source: Source) -> dg.SensorDefinition:
    """The sensor `alerts`. It is on by default: somebody who opens the UI must not have to ask for the alarm."""

    @dg.sensor(
        name="alerts",
        description="Tells whoever ATHENA_ALERT_URLS names what went wrong: one alert for each night and root cause.",
        minimum_interval_seconds=SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason(_look(context, settings, source))

    return alerts


def knowledge_of(graph: BaseAssetGraph, source: Source, settings: Settings, *, wall: datetime) -> Knowledge:
    """What is known about the assets of a home's findings: what runs after them, what depends on them, what mends them.

    wall: now, on the retailer's wall.
    """

    @cache
    def downstream_of(asset: str) -> frozenset[str]:
        key = dg.AssetKey(asset.split("."))
        if not graph.has(key):
            return frozenset()
        found = dg.AssetSelection.assets(key).downstream(include_self=False).resolve(graph)
        return frozenset(".".join(each.path) for each in found)

    @cache
    def lineage() -> ImpactGraph:
        return impact_graph(source, cache=settings.cache)

    def impact_of(asset: str) -> Impact | None:
        try:
            return lineage().of(asset)
        except AthenaError:
            # No table of the lineage, or a lineage that cannot be read: the alert says less, but it is sent.
            return None

    return Knowledge(
        downstream_of=lambda asset: set(downstream_of(asset)),
        impact_of=impact_of,
        mend=lambda finding: mender_of(settings.home, source.name).command(finding),
        explain=Explainer(settings, wall=wall, at=datetime.now(UTC).replace(tzinfo=None)).explain_each,
    )


def _look(context: dg.SensorEvaluationContext, settings: Settings, source: Source) -> str:
    if not Outbox(settings.home).exists():
        return "nothing has ever been wrong in this home"
    repository, now = context.repository_def, datetime.now(UTC)
    wall = now.astimezone(ZoneInfo(source.timezone)).replace(tzinfo=None)
    knowledge = knowledge_of(repository.asset_graph, source, settings, wall=wall) if repository else Knowledge()
    try:
        Watch(settings.home).note_killed(now)
        done = deliver(
            settings.home,
            AlertSink.of(settings, context.log.warning),
            knowledge,
            remind_after=timedelta(hours=float(settings.alert_reminder_hours)),
            at=now,
        )
    except AthenaError as error:
        return f"not told: {error}"
    failed = [each for each in done if each.failure]
    said = f"{len(done) - len(failed)} messages sent"
    return f"{said}, {len(failed)} failed: {failed[0].failure}" if failed else said
