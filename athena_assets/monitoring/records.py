"""What is recorded of a home, put together for `why`: contracts, manifests, lineage, and what is published."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime, time, timedelta
from functools import cache

import duckdb

from athena_assets.contracts import contracts_in_force
from athena_assets.errors import AthenaError
from athena_assets.features.feature_set import load_feature_set
from athena_assets.impact import Impact, ImpactGraph, impact_graph
from athena_assets.lifecycle.model_spec import MODELS, load_model_spec, model_names
from athena_assets.monitoring.mending import mender_of
from athena_assets.monitoring.why import Published, Records
from athena_assets.nights import Night
from athena_assets.predictions.publish import LATEST, night_of
from athena_assets.retailer import Retailer
from athena_assets.sources.aliases import source_of_home
from resources.home import need_home
from resources.settings import Settings


def records_of(
    settings: Settings,
    now: datetime,
    reading: Callable[[], AbstractContextManager[duckdb.DuckDBPyConnection]],
) -> Records:
    """The records of a home; raises `NoHome` where nothing has been landed.

    now: on the retailer's wall. reading: opens the warehouse for reading.
    """
    record = need_home(settings.home)
    source = source_of_home(settings.home, record.source)
    retailer = Retailer(source, Night(record.first_night), None)
    features = load_feature_set(retailer.feature_tables, business_country=source.mapping.business_country)
    models = [load_model_spec(MODELS / name) for name in model_names(MODELS)]

    @cache
    def lineage() -> ImpactGraph:
        return impact_graph(source, cache=settings.cache)

    def impact_of(asset: str, columns: Collection[str] | None) -> Impact | None:
        try:
            return lineage().of(asset, columns)
        except AthenaError:
            # No table of the lineage: the screen says less.
            return None

    return Records(
        mender=mender_of(settings.home, source.name),
        contracts=contracts_in_force(retailer, features, models),
        impact_of=impact_of,
        published=tuple(published_now(settings, [spec.name for spec in models], now)),
        reading=reading,
    )


def published_now(settings: Settings, models: list[str], now: datetime) -> list[Published]:
    """What the readers of each model see, and how old it is; now: on the retailer's wall."""
    found = []
    for model in models:
        night = night_of(settings.published / "predictions" / model / LATEST)
        as_of = datetime.combine(night + timedelta(days=1), time()) if night is not None else None
        age = (now - as_of).total_seconds() / 3600 if as_of is not None else None
        found.append(Published(model, night, age))
    return found
