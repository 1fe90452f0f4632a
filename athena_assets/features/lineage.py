"""Which columns of the canonical tables a feature's value comes from.

Read from the SQL itself, through the base table's columns; the columns that only select rows (who, when, known when)
are the same for every feature of a table and left out.
"""

from collections.abc import Mapping
from functools import cache

from athena_assets.features.base_table import BaseTable
from athena_assets.features.definition import FeatureDefinition

Source = tuple[str, str]
"""(`schema.view`, column)."""


def feature_lineage(
    feature: FeatureDefinition, definitions: Mapping[str, FeatureDefinition], bases: Mapping[str, BaseTable]
) -> tuple[Source, ...]:
    """Source columns of one feature, those of the features that it builds on included, sorted."""
    from sqlglot import exp, parse_one

    base = bases[feature.table]
    projections = _projections(base.sql)
    text = feature.expression
    sources: set[Source] = set()
    for reference in feature.references:
        text = text.replace(f"{{{reference}}}", "NULL")
        sources |= set(feature_lineage(definitions[reference], definitions, bases))
    for column in parse_one(text, dialect="duckdb").find_all(exp.Column):
        sources |= {(base.source, name) for name in projections[column.name]}
    return tuple(sorted(sources))


@cache
def _projections(base_sql: str) -> dict[str, frozenset[str]]:
    """Output column of a base text -> the columns of its table that it is made of."""
    from sqlglot import exp, parse_one

    select = parse_one(base_sql, dialect="duckdb", into=exp.Select)
    return {
        projection.alias_or_name: frozenset(column.name for column in projection.find_all(exp.Column))
        for projection in select.selects
    }
