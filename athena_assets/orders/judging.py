"""From rules and facts to judged rows: every raw row of a scope with the code of the rule that decides about it.

A line is judged alone, then with its order, then, where the source corrects orders, as part of a version. What the
later levels refuse is a fact, too: of an order, or of a version.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from athena_assets.orders.facts import TOLD, VERSION_CONTENT, facts_of, filled, version_of
from athena_assets.orders.rules import Level, Rule, RuleSet
from athena_assets.orders.statements import Fact, Scope
from athena_assets.orders.templates import cases, codes, same, template
from athena_assets.sources.source import Source
from athena_assets.sources.tables import RAW_TABLES
from athena_assets.sql import words

LINES = "order_lines"


@dataclass(frozen=True)
class Judge:
    """The rules of a source, applied to what a scope holds."""

    source: Source
    scope: Scope
    rules: RuleSet

    def rows(self, table: str, reader: str = "") -> str:
        """SELECT of the judged rows of a raw table: its columns, `amount`, `code`, and what facts give.

        amount: the row's money in the source's currency, DECIMAL(18,4), 0 where it has none.
        reader: the text that will select from them; what it names is given, too.
        """
        if table != LINES:
            return self._judged(table, self.rules.of(table), "code", reader=reader)
        if not self.source.corrects_orders:
            return self._lines("code", reader=reader)
        values = {"judged": self._lines("order_code", reader=reader), "kept_codes": codes(self.kept(LINES))}
        return template("judged_versions", values)

    def facts(self) -> tuple[Fact, ...]:
        """Every fact that a statement may read, in the order in which each may rest on the ones before."""
        entities = [table for table in self.source.tables if table != LINES]
        return (
            *self._facts_of(LINES),
            *self._facts_of_orders(),
            *self._facts_of_versions(),
            *(fact for table in entities for fact in self._facts_of(table)),
        )

    def kept(self, table: str) -> list[Rule]:
        """The rules of a raw table that keep."""
        return [rule for rule in self.rules.of(table) if rule.disposition == "keep"]

    def _facts_of(self, table: str) -> tuple[Fact, ...]:
        return facts_of(self.source, self.scope, table)

    def _rules_of(self, level: Level) -> list[Rule]:
        return [rule for rule in self.rules.of(LINES) if rule.level == level]

    def _facts_of_orders(self) -> tuple[Fact, ...]:
        if not (order_rules := self._rules_of("order")):
            return ()
        given = {column for fact in self._facts_of("orders") for column in fact.gives}
        header_rules = [rule for rule in self.rules.of("orders") if not given & words(rule.when)]
        values = {
            "version": ", ".join(version_of(self.source)),
            "lines": self._lines_alone("line_code"),
            "merchandise_codes": codes(rule for rule in self.kept(LINES) if rule.merchandise),
            "headers": self._judged("orders", header_rules, "header_code"),
            "header_kept_codes": codes(self.kept("orders")),
            "code": cases(order_rules),
        }
        return (filled(self.scope, values, "order_codes"),)

    def _facts_of_versions(self) -> tuple[Fact, ...]:
        if not self.source.corrects_orders:
            return ()
        values = {
            **self.scope.places(LINES),
            "told": ", ".join(TOLD),
            "content": ", ".join(VERSION_CONTENT),
            "row": f"{{{', '.join(f'{name}: {name}' for name in VERSION_CONTENT)}}}",
            "judged": self._lines("order_code", only=" AND order_id IN (SELECT order_id FROM orders_again)"),
            "kept_codes": codes(self.kept(LINES)),
            "code": cases(self._rules_of("version")),
        }
        return filled(self.scope, values, "orders_again"), filled(self.scope, values, "order_versions")

    def _lines(self, name: str, *, reader: str = "", only: str = "") -> str:
        """The lines with what line and order rules say of them, in a column of that name; `only` narrows them."""
        if not self._rules_of("order"):
            return self._lines_alone(name, reader=reader, only=only)
        values = {
            "lines": self._lines_alone("line_code", reader=reader, only=only),
            "line_kept_codes": codes(self.kept(LINES)),
            "same_order": same(version_of(self.source), "order_codes", "lines"),
            "as": name,
        }
        return template("judged_by_order", values)

    def _lines_alone(self, name: str, *, reader: str = "", only: str = "") -> str:
        """The lines with what the line rules say of them, in a column of that name."""
        return self._judged(LINES, self._rules_of("line"), name, reader=reader, only=only)

    def _judged(self, table: str, rules: Sequence[Rule], name: str, *, reader: str = "", only: str = "") -> str:
        """The rows with the code of the first of the rules that holds, and the columns that rules and reader name."""
        named = words(reader, *(rule.when for rule in rules))
        columns, joins = [], []
        for fact in self._facts_of(table):
            if given := [column for column in fact.gives if column in named]:
                columns += [f", coalesce({fact.name}.{column}, {fact.gives[column]}) AS {column}" for column in given]
                joins.append(f"LEFT JOIN {fact.name} ON {same(fact.key, fact.name, 'delivered')}")
        values = {
            **self.scope.places(table),
            "in_scope": self.scope.condition + only,
            "amount": RAW_TABLES[table].amount or "CAST(0 AS DECIMAL(18,4))",
            "given": "".join(columns),
            "joins": "\n    ".join(joins),
            "code": cases(rules),
            "as": name,
        }
        return template("judged_rows", values)
