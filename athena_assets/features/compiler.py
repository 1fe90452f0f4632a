"""Compiles features to one SQL text: one scan and one group-by per base table, joined on the population.

Identical aggregates of different features become one column. The text has parameters instead of values, so the
same text serves training snapshots, the night and a look-up of one customer.
"""

from collections.abc import Collection, Mapping, Sequence

from athena_assets.features.base_table import BaseTable
from athena_assets.features.definition import FeatureDefinition, InvalidFeature
from athena_assets.features.expressions import identifiers, pieces

CONTEXT = "context"
"""The base table of a single row: its columns are used bare, without aggregates."""


class Compiler:
    """Collects the aggregates of a list of features and writes the text."""

    def __init__(
        self, features: Sequence[FeatureDefinition], bases: Mapping[str, BaseTable], corrected: Collection[str] = ()
    ) -> None:
        self._definitions = {feature.name: feature for feature in features}
        self._bases = bases
        self._corrected = corrected
        self._aggregates: dict[str, dict[str, str]] = {}
        self._used_context = False
        self._expressions = {name: self._resolve(name) for name in self._definitions}
        self._columns = tuple(self._definitions)

    def text(self, population_sql: str, *, columns: Sequence[str] | None = None, restrict: bool = False) -> str:
        """The whole text: `customer_id`, `as_of`, then `columns` (default all), ordered by customer.

        population_sql: a query with a column `customer_id`, one row per customer.
        restrict: scan only rows of the population; right for few customers, a waste for most of them.
        """
        parts = [f"population AS (\nSELECT customer_id FROM (\n{population_sql.strip().removesuffix(';')}\n)\n)"]
        joins = []
        for table, aggregates in sorted(self._aggregates.items()):
            parts.append(self._group(table, aggregates, restrict))
            joins.append(f"LEFT JOIN by_{table} ON by_{table}.customer_id = population.customer_id")
        if self._used_context:
            parts.append(f"{CONTEXT} AS (\n{self._base_text(CONTEXT)}\n)")
            joins.append(f"CROSS JOIN {CONTEXT}")
        selected = ["population.customer_id", "CAST($as_of AS TIMESTAMP) AS as_of"]
        selected += [f"{self._expressions[name]} AS {name}" for name in columns or self._columns]
        ctes, select, join = ",\n".join(parts), ",\n    ".join(selected), "\n".join(joins)
        return f"WITH {ctes}\nSELECT\n    {select}\nFROM population\n{join}\nORDER BY population.customer_id\n"

    def _base_text(self, table: str) -> str:
        sources = {self._bases[name].source for name in self._corrected}
        return self._bases[table].text(corrected=self._bases[table].source in sources)

    def _group(self, table: str, aggregates: Mapping[str, str], restrict: bool) -> str:
        columns = ",\n    ".join(f"{call} AS {alias}" for call, alias in aggregates.items())
        only = "\nWHERE customer_id IN (SELECT customer_id FROM population)" if restrict else ""
        return (
            f"by_{table} AS (\nSELECT\n    customer_id,\n    {columns}\n"
            f"FROM (\n{self._base_text(table)}\n){only}\nGROUP BY customer_id\n)"
        )

    def _resolve(self, name: str) -> str:
        definition = self._definitions[name]
        text = "".join(
            self._outside(definition, piece.text)
            if piece.aggregate is None
            else self._aggregate(definition.table, piece.text, piece.aggregate)
            for piece in pieces(definition)
        )
        for reference in definition.references:
            text = text.replace(f"{{{reference}}}", self._resolve(reference))
        return f"CAST({text} AS {definition.dtype})"

    def _aggregate(self, table: str, call: str, function: str) -> str:
        aliases = self._aggregates.setdefault(table, {})
        column = f"by_{table}.{aliases.setdefault(call, f'a{len(aliases) + 1}')}"
        return f"coalesce({column}, 0)" if function == "count" else column

    def _outside(self, definition: FeatureDefinition, text: str) -> str:
        if definition.table == CONTEXT:
            self._used_context = True
            return text
        bare = identifiers(text) & set(self._bases[definition.table].columns)
        if bare:
            raise InvalidFeature(
                f"feature {definition.name}: column {min(bare)} stands outside an aggregate",
                expected="count, sum, min, max, arg_min, arg_max, bit_or, bit_and, bool_or or bool_and around it",
                found=definition.expression,
            )
        return text
