"""The features that can be computed from the tables at hand, and the one SQL text that computes them."""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from athena_assets.errors import AthenaError, InvalidArgument
from athena_assets.features.base_table import BaseTable, load_bases
from athena_assets.features.carried import CarriedTable
from athena_assets.features.compiler import CONTEXT, Compiler
from athena_assets.features.definition import DEFINITIONS, FeatureDefinition, load_definitions

if TYPE_CHECKING:
    import duckdb

_HERE = Path(__file__).parent
ACTIVE = "orders_365d"
"""Population of the nightly table: the customers of whom this feature is above 0, a purchase in the last 365 days."""
GIVEN_CUSTOMERS = (_HERE / "given_customers.sql").read_text(encoding="utf-8")
"""Population of a look-up: parameter `$customers`, a list of ids."""

_BUSINESS_COUNTRY = "$business_country"


class UnknownFeature(AthenaError):
    """No file under `features/definitions/` has that name."""


class UnavailableFeature(AthenaError):
    """The feature exists, but what it reads does not; says what is missing."""


@dataclass(frozen=True)
class FeatureSet:
    """Features in a fixed order, ready to be evaluated at any `as_of`.

    `columns` are the features of the set; `unavailable` maps the names of the others to the reason.
    """

    features: tuple[FeatureDefinition, ...]
    columns: tuple[str, ...]
    unavailable: Mapping[str, str]
    bases: Mapping[str, BaseTable]
    business_country: str | None
    corrected: frozenset[str]
    folder: Path = DEFINITIONS

    @cached_property
    def by_name(self) -> dict[str, FeatureDefinition]:
        """Definition of every available feature."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def types(self) -> dict[str, str]:
        """DDL type of each column of the set."""
        return {name: self.by_name[name].dtype for name in self.columns}

    @cached_property
    def lineage(self) -> dict[str, tuple[tuple[str, str], ...]]:
        """Of each column of the set, the (`schema.view`, column) pairs that its value comes from."""
        # Parsing loads sqlglot, which nothing else here needs: only on demand.
        from athena_assets.features.lineage import feature_lineage

        return {name: feature_lineage(self.by_name[name], self.by_name, self.bases) for name in self.columns}

    @cached_property
    def version(self) -> str:
        """Twelve hexadecimal digits that change exactly when a value could: text, types or constants."""
        # Descriptions, owners and bounds are left out: a better wording must not make a model look outdated.
        return hashlib.sha256(repr((self.text, self.business_country)).encode()).hexdigest()[:12]

    @cached_property
    def text(self) -> str:
        """The SQL of the set for a model's own population: what its values and its lineage follow from."""
        return self.sql("SELECT customer_id FROM population_of_the_model")

    @cached_property
    def _compiler(self) -> Compiler:
        return Compiler(self._needed(), self.bases, self.corrected)

    @cached_property
    def _night_compiler(self) -> Compiler:
        return Compiler(self._needed(ACTIVE), self.bases, self.corrected)

    @cached_property
    def carried(self) -> dict[str, CarriedTable]:
        """By base table, what one night of the active customers can carry over to the next."""
        compiler = self._night_compiler
        tables = {
            name: CarriedTable(self.bases[name], aliases, compiler.is_corrected(name))
            for name, aliases in sorted(compiler.aggregates.items())
        }
        return {name: table for name, table in tables.items() if table.can_be_carried}

    def rows_of(self, table: str) -> str:
        """The rows of a base table as features see them; parameters $as_of and $cutoff."""
        return self._compiler.base_text(table)

    def _needed(self, *more: str) -> list[FeatureDefinition]:
        """The set's features, more, and those they refer to: nothing else is computed."""
        needed: dict[str, FeatureDefinition] = {}

        def add(name: str) -> None:
            if name not in needed:
                needed[name] = self.by_name[name]
                for reference in self.by_name[name].references:
                    add(reference)

        for name in (*self.columns, *more):
            add(name)
        return list(needed.values())

    def sql(self, population_sql: str, *, restrict: bool = False) -> str:
        """One SELECT of `customer_id`, `as_of` and `columns`, ordered by customer.

        Its parameters are `parameters(...)` and whatever the population has of its own.
        population_sql: a query with a column `customer_id`, one row per customer.
        restrict: scan only those customers' rows; same values, right for few customers.
        """
        return self._compiler.text(population_sql, columns=self.columns, restrict=restrict)

    def night_sql(self, *, carried: Collection[str] = ()) -> str:
        """The same SELECT for the active customers of a night.

        carried: the base tables of which to read what is stored, instead of scanning them.
        """
        groups = {name: self.carried[name].values() for name in carried}
        return self._night_compiler.text_of(ACTIVE, columns=self.columns, groups=groups)

    def as_corrected_in(self, connection: "duckdb.DuckDBPyConnection") -> "FeatureSet":
        """The set that looks for corrected rows only in tables that hold some today; its values are the same.

        A table whose source does not flag corrections counts as corrected. The `version` of the result is another.
        """
        sources = {name: self.bases[name] for name in self.corrected}
        corrected = {
            name
            for name, base in sources.items()
            if base.correction_flag is None
            or connection.execute(f"SELECT 1 FROM {base.source} WHERE {base.correction_flag} LIMIT 1").fetchall()
        }
        return self if corrected == self.corrected else replace(self, corrected=frozenset(corrected))

    def parameters(self, as_of: datetime, cutoff: datetime) -> dict[str, object]:
        """Values of the text's parameters; raises `InvalidArgument` unless as_of is a midnight at or before cutoff."""
        if as_of.time() != time() or as_of.tzinfo is not None:
            raise InvalidArgument(
                f"features cannot be evaluated at {as_of}",
                expected="midnight in business-local time: windows are whole days",
                found=as_of.isoformat(),
            )
        if cutoff < as_of:
            raise InvalidArgument(
                f"features at {as_of} cannot be known at {cutoff}",
                expected="a cutoff at or after as_of",
                found=cutoff.isoformat(),
            )
        values: dict[str, object] = {"as_of": as_of, "cutoff": cutoff}
        if any(_BUSINESS_COUNTRY in feature.expression for feature in self._needed()):
            values["business_country"] = self.business_country
        return values

    def select(self, names: Sequence[str]) -> "FeatureSet":
        """The set with only these columns, in this order: a model's feature list.

        Raises `UnknownFeature` or `UnavailableFeature`.
        """
        for name in names:
            if name in self.unavailable:
                raise UnavailableFeature(
                    f"feature {name} is unavailable",
                    expected="what it reads, delivered by the source",
                    found=self.unavailable[name],
                    next_command="take it off the model's feature list, or load a source that delivers it",
                )
            if name not in self.by_name:
                raise UnknownFeature(
                    f"there is no feature {name}",
                    expected=f"one of {', '.join(self.by_name)}",
                    found=name,
                    next_command="athena features",
                )
        if len(set(names)) != len(names):
            raise InvalidArgument("a feature is listed twice", expected="each name once", found=", ".join(names))
        return replace(self, columns=tuple(names))


def load_feature_set(
    tables_available: Iterable[str],
    *,
    business_country: str | None,
    corrected: Collection[str] = (),
    folder: Path = DEFINITIONS,
) -> FeatureSet:
    """The features that can be computed where these tables exist.

    tables_available: names such as `orders`, `service_contacts`, `campaign_contacts`, `customers`.
    business_country: the country as it is written in the customers' table; None makes `is_domestic` unavailable.
    corrected: tables whose rows may be delivered again, corrected, under the same key (see `BaseTable.text`).
    """
    bases, definitions = load_bases(), load_definitions(folder)
    tables = set(tables_available)
    unknown = (tables | set(corrected)) - set(bases) | ({CONTEXT} & set(corrected))
    if unknown:
        raise InvalidArgument(
            f"features read no table {min(unknown)}", expected=f"some of {', '.join(bases)}", found=min(unknown)
        )
    by_name = {definition.name: definition for definition in definitions}
    unavailable: dict[str, str] = {}
    for definition in definitions:
        reason = _missing(definition, by_name, tables, business_country, bases)
        if reason is not None:
            unavailable[definition.name] = reason
    available = tuple(definition for definition in definitions if definition.name not in unavailable)
    return FeatureSet(
        features=available,
        columns=tuple(feature.name for feature in available),
        unavailable=unavailable,
        bases=bases,
        business_country=business_country,
        corrected=frozenset(corrected) & tables,
        folder=folder,
    )


def _missing(
    definition: FeatureDefinition,
    by_name: Mapping[str, FeatureDefinition],
    tables: set[str],
    business_country: str | None,
    bases: Mapping[str, BaseTable],
) -> str | None:
    source = bases[definition.table].source
    if source.removeprefix("orders.all_") not in tables:
        return f"the source delivers no {source.removeprefix('orders.all_')} (reads {source})"
    if _BUSINESS_COUNTRY in definition.expression and business_country is None:
        return "the business country is not declared"
    for reference in definition.references:
        reason = _missing(by_name[reference], by_name, tables, business_country, bases)
        if reason is not None:
            return f"builds on {reference}: {reason}"
    return None
