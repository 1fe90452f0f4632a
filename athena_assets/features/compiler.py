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
        self.aggregates: dict[str, dict[str, str]] = {}
        """By base table, the name of each aggregate's column by the text of its call."""
        self._used_context = False
        self._expressions = {name: self._resolve(name) for name in self._definitions}
        self._columns = tuple(self._definitions)

    def text(self, population_sql: str, *, columns: Sequence[str] | None = None, restrict: bool = False) -> str:
        """The whole text: `customer_id`, `as_of`, then `columns` (default all), ordered by customer.

        population_sql: a query with a column `customer_id`, one row per customer.
        restrict: scan only rows of the population; right for few customers, a waste for most of them.
        """
        groups = {
            table: self.group_text(
                table, "\nWHERE customer_id IN (SELECT customer_id FROM population)" if restrict else ""
            )
            for table in self.aggregates
        }
        population = f"population AS (\nSELECT customer_id FROM (\n{population_sql.strip().removesuffix(';')}\n)\n)"
        return self._joined("population", [population], groups, columns)

    def text_of(
        self, feature: str, *, columns: Sequence[str] | None = None, groups: Mapping[str, str] | None = None
    ) -> str:
        """The text for the customers of whom a feature that counts is above 0; one scan gives both.

        groups: by base table, a SELECT of `customer_id` and that table's aggregates to take instead of a scan.
        """
        table = self._definitions[feature].table
        texts = {name: (groups or {}).get(name) or self.group_text(name) for name in self.aggregates}
        main = f"by_{table}"
        return self._joined(main, [], texts, columns, where=f"\nWHERE {self._expressions[feature]} > 0")

    def _joined(
        self,
        main: str,
        parts: list[str],
        groups: Mapping[str, str],
        columns: Sequence[str] | None,
        where: str = "",
    ) -> str:
        """Every group and the context joined to the rows of `main`."""
        parts, joins = list(parts), []
        for table, text in sorted(groups.items()):
            parts.append(f"by_{table} AS (\n{text}\n)")
            if f"by_{table}" != main:
                joins.append(f"LEFT JOIN by_{table} ON by_{table}.customer_id = {main}.customer_id")
        if self._used_context:
            parts.append(f"{CONTEXT} AS (\n{self.base_text(CONTEXT)}\n)")
            joins.append(f"CROSS JOIN {CONTEXT}")
        selected = [f"{main}.customer_id", "CAST($as_of AS TIMESTAMP) AS as_of"]
        selected += [f"{self._expressions[name]} AS {name}" for name in columns or self._columns]
        ctes, select, join = ",\n".join(parts), ",\n    ".join(selected), "\n".join(joins)
        return f"WITH {ctes}\nSELECT\n    {select}\nFROM {main}\n{join}{where}\nORDER BY {main}.customer_id\n"

    def group_text(self, table: str, where: str = "") -> str:
        """One scan of a base table: the aggregates of each customer."""
        columns = ",\n    ".join(f"{call} AS {alias}" for call, alias in self.aggregates[table].items())
        return (
            f"SELECT\n    customer_id,\n    {columns}\nFROM (\n{self.base_text(table)}\n){where}\nGROUP BY customer_id"
        )

    def is_corrected(self, table: str) -> bool:
        """Whether rows of the table may be delivered again, corrected."""
        return self._bases[table].source in {self._bases[name].source for name in self._corrected}

    def base_text(self, table: str) -> str:
        """The rows of a base table, of corrected ones the version that counts."""
        return self._bases[table].text(corrected=self.is_corrected(table))

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
        aliases = self.aggregates.setdefault(table, {})
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
