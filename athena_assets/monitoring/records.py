"""What is recorded of a home, put together for `why`: contracts, manifests, lineage, and what is published."""

from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from datetime import datetime
from functools import cache

import duckdb

from athena_assets.contracts import contracts_in_force
from athena_assets.errors import AthenaError
from athena_assets.features.feature_set import load_feature_set
from athena_assets.impact import Impact, ImpactGraph, impact_graph
from athena_assets.lifecycle.model_spec import MODELS, load_model_spec, model_names
from athena_assets.monitoring.mending import mender_of
from athena_assets.monitoring.why import Records
from athena_assets.nights import Night
from athena_assets.predictions.status import status_of
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
    features = load_feature_set(
        retailer.feature_tables,
        business_country=source.mapping.business_country,
        corrected=retailer.corrected_tables,
    )
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
        published=tuple(status_of(settings.published, spec.name, ()) for spec in models),
        now=now,
        reading=reading,
    )
